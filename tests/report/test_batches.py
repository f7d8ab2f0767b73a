"""What may be given as data, and what may not."""

import keras
import numpy as np
import pytest
import report_models
import tensorflow as tf

import tq_halp
from tq_halp.analysis.input_batches import batches

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
        lambda: (keras.ops.convert_to_tensor(X), keras.Variable(Y, dtype="int64")),
        lambda: (X, tf.Variable(Y)),
        lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(2).prefetch(1).shuffle(1),
        lambda: tf.data.Dataset.from_generator(
            lambda: ((X[k : k + 2], Y[k : k + 2]) for k in (0, 2, 4)),
            output_signature=(tf.TensorSpec([None, 2]), tf.TensorSpec([None])),
        ),
    ],
    ids=[
        *("pair", "no weights", "tf.data", "generator", "list of batches", "tensors"),
        *("Keras' own", "variable", "shuffled tf.data", "tf.data of unknown length"),
    ],
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
        (None, "data must be arrays.*Received: None"),
        ("x.npz", "data must be arrays.*Received: 'x.npz' of type str"),
        (3.5, "Received: 3.5 of type float"),
        (np.array(["a", None]), "Received: \\['a' None\\] of type ndarray"),
        (np.float32(3), "samples along its first axis"),
        ((X, Y[:3]), "one length. Received: lengths \\[3, 5\\]"),
        ((X, Y, W, W), "tuple of 4"),
        (X[:0], "at least one batch"),
        ([], "at least one batch"),
        (iter(()), "at least one batch"),
        (iter(["a"]), "a batch that is 'a' of type str"),
        (lambda: iter([(X, Y)]), "Received: <function"),
        ([[1.0, 2.0], [3.0, 4.0]], "a batch that is a list of float"),
        (keras.KerasTensor([2, 2]), "Received: <KerasTensor"),
        (tf.sparse.from_dense(X), "Received: SparseTensor|batch that is"),
        (
            (X, np.ma.masked_array(Y, Y > 3)),
            "without a mask. Received: a numpy.ma.Mask.* in y; fill",
        ),
        ([(np.ma.masked_array(X, X > 3), Y)], "MaskedArray in x in batch 1"),
        (X.astype("complex64"), "Received: .*of type ndarray"),
        ((None, Y), "data must hold x. Received: None for it"),
        ([(X, Y), (X, Y[:3])], "lengths \\[3, 5\\] in batch 2"),
        ([(X, Y), (X[:0], Y[:0])], "no sample in batch 2"),
        (tf.data.Dataset.range(3), "samples along its first axis. Received: <tf.Tensor"),
        (tf.data.Dataset.from_tensor_slices((X[:1], W[:1])), "first axis. Received: <tf.Tensor"),
        (tf.data.Dataset.from_tensors((X, Y)).repeat(), "never ends.*batches="),
        (Sequence(), "never ends.*batches="),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_data(data, message):
    with pytest.raises(tq_halp.InputError, match=message):
        listed(data)


def changed(array, at, value, dtype="float32"):
    array = np.array(array, dtype)
    array[at] = value
    return array


@pytest.mark.parametrize(
    "data, message",
    [
        (lambda x, y: (x, y), "Received: nan in x\\[3, 1\\]$"),
        (lambda x, y: (tf.cast(x, "bfloat16"), y), "Received: nan in x\\[3, 1\\]$"),
        (lambda x, y: {"a": {"b": X}, "c": x}, "Received: nan in x\\['c'\\]\\[3, 1\\]$"),
        (lambda x, y: ((X, x), Y), "Received: nan in x\\[1\\]\\[3, 1\\]$"),
        (lambda x, y: (X, y), "Received: -inf in y\\[4\\]$"),
        (lambda x, y: (X, Y, y), "Received: -inf in sample_weight\\[4\\]$"),
        (
            lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(2),
            "Received: nan in x\\[1, 1\\] in batch 2$",
        ),
        (lambda x, y: iter([(X, Y), (X, y)]), "Received: -inf in y\\[4\\] in batch 2$"),
    ],
    ids=["x", "bfloat16", "nested", "tuple", "y", "weights", "tf.data", "generator"],
)
def test_what_is_no_number_is_named_by_its_place(data, message):
    x, y = changed(X, (3, 1), np.nan), changed(Y, 4, -np.inf)
    with pytest.raises(tq_halp.InputError, match=f"data must be finite numbers. {message}"):
        listed(data(x, y))


def of_two_inputs():
    """Takes {"a": x, "more": {"b": x}}."""
    a, b = (keras.Input([2], name=name) for name in "ab")
    output = keras.layers.Dense(1, name="dense")(keras.layers.Add()([a, b]))
    model = keras.Model({"a": a, "more": {"b": b}}, output)
    model.compile("sgd", "mse")
    return model


def test_the_same_report_of_arrays_tensors_and_data_sets():
    model, x, y = of_two_inputs(), X.astype("float32"), Y[:, None].astype("float32")
    inputs = {"a": x, "more": {"b": x}}
    tensors = keras.tree.map_structure(tf.constant, inputs)
    expected = tq_halp.report(model, (inputs, y), batch_size=2).to_dict()
    assert (expected["batches"], expected["samples"]) == (3, 5)
    assert {row["role"] for row in expected["rows"]} >= {"weights", "gradients", "errors"}
    for data in (
        (tensors, tf.constant(y)),
        tf.data.Dataset.from_tensor_slices((inputs, y)).batch(2),
        (
            (keras.tree.map_structure(lambda a, k=k: a[k : k + 2], inputs), y[k : k + 2])
            for k in (0, 2, 4)
        ),
    ):
        assert tq_halp.report(model, data, batch_size=2).to_dict() == expected


def test_inside_a_tf_function():
    model = report_models.dense()
    with pytest.raises(tq_halp.InputError, match="must be called outside of a tf.function"):
        tf.function(lambda x: tq_halp.report(model, x) and x, autograph=False)(tf.constant(X))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size must be an integer at least 1. Received: 0"),
        ({"batches": 2.5}, "batches must be an integer at least 1. Received: 2.5"),
        ({"word_bits": 65}, "word_bits must be an integer from 1 to 64. Received: 65"),
        ({"word_bits": True}, "word_bits must be .*Received: True"),
        ({"loss": "mean_of_squares"}, "loss: .*mean_of_squares"),
        ({"data": np.ones([4, 3])}, "data must be what the model takes: Input 0 .*incompatible"),
        ({"data": np.array(["a", "b"])}, "the model takes: Cast string to float is not supported"),
        ({"data": tf.constant(["a", "b"])}, "the model takes: Cast string to float is not supp"),
        ({"data": (X, np.ones([5, 7, 3]))}, "data must be what the loss takes: "),
        ({"model": "small.keras"}, "model must be a Keras model. Received: 'small.keras'"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "is not built"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(tq_halp.InputError, match=message):
        tq_halp.report(**{"model": report_models.dense(), "data": (X, Y[:, None]), **arguments})
