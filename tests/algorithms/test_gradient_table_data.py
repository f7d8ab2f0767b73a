"""Which data, arguments and settings gradient tables take, and which they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table_problem import BATCH, FEATURES, X, Y, fit, half_squares, saga

import tq_halp
from tq_halp.algorithms.gradient_tables import table_size

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"table": "batch"}, "update must be 'epoch' or 'step'.*'batch'"),
        ({"draws": "new"}, "draws must be 'locked' or 'fresh'"),
        ({"coefficient": 0.0}, "coefficient must be above 0"),
        ({"table_packed": True}, "format must be a number of bits up to 16.*None"),
        ({"table_packed": True, "table_format": 17}, "number of bits up to 16.*17"),
        ({"table_format": 1}, "number of bits.*1"),
        ({"table_folder": ""}, "folder must be the path"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(tq_halp.InputError, match=message):
        saga(**options)


def _stream():
    yield X[:BATCH], Y[:BATCH]


def _new_batches():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(99, seed=1).batch(BATCH)


@pytest.mark.parametrize(
    "data, message",
    [
        (_stream, "x must be data with the same minibatches in every epoch.*only once"),
        (_new_batches, "needs the same minibatches in every epoch.*Batch the data before"),
    ],
)
def test_data_without_fixed_minibatches(data, message):
    with pytest.raises(tq_halp.InputError, match=message):
        saga().fit(data(), epochs=3, verbose=0)


def test_a_pass_must_end_with_an_execution():
    trainer = saga()
    trainer.compile(keras.optimizers.SGD(0.1), half_squares, steps_per_execution=2)
    with pytest.raises(tq_halp.InputError, match="steps_per_execution must divide 5.*: 2"):
        fit(trainer, 1)


def test_a_table_that_does_not_fit_is_refused_before_training(monkeypatch):
    """The table of five minibatches has 5 · 6 numbers of 8 bytes; packed, 30 bytes."""
    monkeypatch.setattr(table_size, "available_memory", lambda: 240)
    said = "needs 240 bytes: 5 minibatches of 6 numbers.*240 bytes of memory.*(30 bytes).*folder"
    with pytest.raises(tq_halp.InputError, match=said):
        fit(saga(), 1)
    fit(saga(table_format=8, table_packed=True), 1)
    monkeypatch.setattr(table_size, "available_memory", lambda: 267)
    fit(saga(), 1)


def test_files_and_compiled_steps(tmp_path):
    for options in ({"steps_per_execution": 5}, {"jit_compile": True}):
        trainer = saga(table_folder=str(tmp_path))
        trainer.compile(keras.optimizers.SGD(0.1), half_squares, **options)
        with pytest.raises(tq_halp.InputError, match=f"{next(iter(options))} must be .* in files"):
            fit(trainer, 1)


def test_longer_minibatches_than_the_first():
    """A minibatch whose words are more than the inputs of the first one has no room."""
    layers = [keras.layers.Embedding(200, 2), keras.layers.GlobalAveragePooling1D()]
    model = keras.Sequential([keras.Input((None,), dtype="int64"), *layers, keras.layers.Dense(1)])
    ids = np.arange(120)
    parts = [ids[:20].reshape(10, 2), ids[20:120].reshape(10, 10)]
    spec = (tf.TensorSpec((10, None), tf.int64), tf.TensorSpec((10, 1), tf.float64))
    batches = tf.data.Dataset.from_generator(
        lambda: ((part, Y[:10]) for part in parts), output_signature=spec
    )
    with pytest.raises(tq_halp.InputError, match="must be of one size.*Pad the sequences"):
        saga(model=model).fit(batches, epochs=2, verbose=0)


def test_stateful_layers():
    """Training goes through the data in their order; T_i may be of another state."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.SimpleRNN(4, stateful=True), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((FEATURES, 1), batch_size=BATCH), *layers])
    trainer, data = saga(model=model), {"x": X[:40, :, None], "y": Y[:40]}
    losses = fit(trainer, 5, **data)["loss"]
    assert losses[-1] < losses[0]
    with pytest.raises(tq_halp.InputError, match="shuffle must be False"):
        fit(trainer, 1, **data, shuffle=True)
