"""SWALP is LP-SGD with the mean of its iterates as the result."""

import keras
import numpy as np
import pytest

import tq_halp

GRID = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype("float32")
Y = RNG.normal(size=(24, 1)).astype("float32")


class Record(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.iterates = []

    def on_train_batch_end(self, batch, logs=None):
        self.iterates.append(self.model.model.get_weights()[0])


def fit(kind, epochs=2, **kwargs):
    start = keras.initializers.Constant(1.0)
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer=start)
    algorithm, record = kind(keras.Sequential([keras.Input((4,)), dense]), GRID, **kwargs), Record()
    algorithm.compile(keras.optimizers.SGD(0.1), loss="mse", run_eagerly=True)
    history = algorithm.fit(
        *(X, Y, 8, epochs), shuffle=False, verbose=0, callbacks=[record], validation_data=(X, Y)
    ).history
    return algorithm, record.iterates, history


@pytest.mark.parametrize(("after", "every", "steps"), [(0, 1, range(6)), (1, 2, (2, 4))])
def test_result_is_the_mean_of_the_iterates(after, every, steps):
    _, iterates, _ = fit(tq_halp.LowPrecisionSGD)
    algorithm, own, history = fit(tq_halp.SWALP, average_after=after, average_every=every)
    np.testing.assert_array_equal(own, iterates)
    mean = np.mean([iterates[step] for step in steps], axis=0)
    np.testing.assert_allclose(algorithm.model.get_weights()[0], mean, rtol=1e-6)
    np.testing.assert_allclose(history["val_loss"][-1], np.mean((X @ mean - Y) ** 2), rtol=1e-5)
    again = tq_halp.SWALP.from_config(algorithm.get_config())
    assert (again.average_after, again.average_every) == (after, every)


def test_before_the_first_average_the_result_is_the_iterate():
    algorithm, iterates, _ = fit(tq_halp.SWALP, epochs=1, average_after=100)
    np.testing.assert_array_equal(algorithm.model.get_weights()[0], iterates[-1])


@pytest.mark.parametrize("wrong", [{"average_after": -1}, {"average_every": 0}])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be an integer from"):
        tq_halp.SWALP(keras.Sequential([keras.Input((4,))]), GRID, **wrong)
