"""What the contract of all algorithms is tested with: each class, and a small problem."""

import keras
import numpy as np
import tensorflow as tf

import tq_halp

GRID = tq_halp.formats.FixedPoint(8, 5)
# With word lengths and grids at which rounding shows after a few steps.
CLASSES = {
    "SGD": lambda model, **kwargs: tq_halp.SGD(model, **kwargs),
    "LowPrecisionSGD": lambda model, **kwargs: tq_halp.LowPrecisionSGD(model, GRID, **kwargs),
    "SWALP": lambda model, **kwargs: tq_halp.SWALP(model, GRID, **kwargs),
    "SVRG": lambda model, **kwargs: tq_halp.SVRG(model, **kwargs),
    "LowPrecisionSVRG": lambda model, **kwargs: tq_halp.LowPrecisionSVRG(model, GRID, **kwargs),
    "HALP": lambda model, **kwargs: tq_halp.HALP(model, word_bits=4, **kwargs),
    "BitCenteredSGD": lambda model, **kwargs: tq_halp.BitCenteredSGD(model, word_bits=4, **kwargs),
    "SAGA": lambda model, **kwargs: tq_halp.SAGA(model, table="step", table_format=8, **kwargs),
    "BitCenteredSAGA": lambda model, **kwargs: tq_halp.BitCenteredSAGA(
        model, word_bits=4, **kwargs
    ),
}
ON_A_GRID = ("LowPrecisionSGD", "LowPrecisionSVRG")
SAMPLES, BATCH = 25, 10  # three minibatches, the last one short

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(SAMPLES, 4)).astype("float32")
Y = np.sin(X @ _RNG.normal(size=(4, 2))).astype("float32")


def network(constraint=None, dtype=None):
    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(5, "tanh", kernel_constraint=constraint, dtype=dtype, name="hidden")
    return keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(2, name="out")])


def trainer(kind, model=None, optimizer=None, eagerly=True, **kwargs):
    """The class of that name around a model, compiled."""
    algorithm = CLASSES[kind](network() if model is None else model)
    optimizer = keras.optimizers.SGD(0.1) if optimizer is None else optimizer
    algorithm.compile(optimizer, "mse", run_eagerly=eagerly, **kwargs)
    return algorithm


def batches():
    return [(X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, SAMPLES, BATCH)]


def data_set():
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH)


def fit(algorithm, epochs=2, **kwargs):
    """The history of a fit in the order of the arrays."""
    data = {"x": X, "y": Y, "batch_size": BATCH, "shuffle": False} | kwargs
    return algorithm.fit(epochs=epochs, verbose=0, **data).history


def grid_codes(variable):
    return np.asarray(variable, "float64") * 2.0**GRID.frac_bits


def is_on_grid(variable):
    codes = grid_codes(variable)
    return bool(np.all((codes == np.rint(codes)) & (codes >= -128) & (codes <= 127)))


def assert_same_weights(one, other):
    for got, want in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


def is_svrg(kind):
    return kind in ("SVRG", "LowPrecisionSVRG", "HALP")
