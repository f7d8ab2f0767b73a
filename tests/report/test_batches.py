"""What may be given as data, and what may not."""

import keras
import numpy as np
import pytest
import report_models
import tensorflow as tf

import tq_halp
from tq_halp.report.batches import batches

X, Y, W = np.arange(10.0).reshape(5, 2), np.arange(5), np.ones(5)


class Sequence(keras.utils.PyDataset):
    """Batches by number, for ever unless `length` says how many."""

    def __init__(self, length=None):
        super().__init__()
        self.length = length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return X[index : index + 1], Y[index : index + 1]


def listed(data, batch_size=2, limit=None):
    return [
        keras.tree.map_structure(lambda a: None if a is None else np.array(a).tolist(), batch)
        for batch in batches(data, batch_size, limit)
    ]


PAIRS = [(X[k : k + 2].tolist(), Y[k : k + 2].tolist(), None) for k in (0, 2, 4)]


@pytest.mark.parametrize(
    "data",
    [
        lambda: (X, Y),
        lambda: (X, Y, None),
        lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(2),
        lambda: ((X[k : k + 2], Y[k : k + 2]) for k in (0, 2, 4)),
        lambda: [(X[k : k + 2], Y[k : k + 2]) for k in (0, 2, 4)],
        lambda: (tf.constant(X), tf.constant(Y)),
    ],
    ids=["pair", "no weights", "tf.data", "generator", "list of batches", "tensors"],
)
def test_pairs(data):
    assert listed(data()) == PAIRS


def test_shapes_of_data():
    assert listed(X, batch_size=5) == [(X.tolist(), None, None)]
    assert listed((X,), batch_size=5) == [(X.tolist(), None, None)]
    assert listed((X, Y, W), batch_size=5) == [(X.tolist(), Y.tolist(), W.tolist())]
    assert listed([X, Y], batch_size=5) == [([X.tolist(), Y.tolist()], None, None)]
    assert listed(({"a": X, "b": Y}, Y), batch_size=4)[1] == (
        {"a": X[4:].tolist(), "b": [4]},
        [4],
        None,
    )
    assert listed(Sequence(2)) == [([[0, 1]], [0], None), ([[2, 3]], [1], None)]


def test_a_limit():
    assert listed((X, Y), limit=2) == PAIRS[:2]
    assert len(listed(Sequence(), limit=3)) == 3
    endless = tf.data.Dataset.from_tensors((X, Y)).repeat()
    assert len(listed(endless, limit=4)) == 4


@pytest.mark.parametrize(
    "data, message",
    [
        (None, "data must be arrays.*received None"),
        ("x.npz", "data must be arrays.*received 'x.npz' of type str"),
        (3.5, "received 3.5 of type float"),
        (np.array(["a", None]), "received \\['a' None\\] of type ndarray"),
        (np.float32(3), "samples along its first axis"),
        ((X, Y[:3]), "one length, received lengths \\[3, 5\\]"),
        ((X, Y, W, W), "tuple of 4"),
        (X[:0], "at least one batch"),
        ([], "at least one batch"),
        (iter(()), "at least one batch"),
        (iter(["a"]), "a batch that is 'a' of type str"),
        (tf.data.Dataset.from_tensors((X, Y)).repeat(), "never ends.*batches="),
        (Sequence(), "never ends.*batches="),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_data(data, message):
    with pytest.raises(tq_halp.InputError, match=message):
        listed(data)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size must be an integer at least 1, received 0"),
        ({"batches": 2.5}, "batches must be an integer at least 1, received 2.5"),
        ({"word_bits": 65}, "word_bits must be an integer from 1 to 64, received 65"),
        ({"word_bits": True}, "word_bits must be .*received True"),
        ({"loss": "mean_of_squares"}, "loss: .*mean_of_squares"),
        ({"data": np.ones([4, 3])}, "data must be what the model takes: "),
        ({"data": (X, np.ones([5, 7, 3]))}, "data must be what the loss takes: "),
        ({"model": "small.keras"}, "model must be a Keras model, received 'small.keras'"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "is not built"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(tq_halp.InputError, match=message):
        tq_halp.report(**{"model": report_models.dense(), "data": (X, Y[:, None]), **arguments})
