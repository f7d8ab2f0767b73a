"""What the tests of all algorithms share: the algorithms, a small network, a small data set."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tq_halp

sys.path.insert(0, str(Path(__file__).parent))

GRID = tq_halp.formats.FixedPoint(8, 6)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)).astype("float32")
    y = rng.integers(0, 3, size=50)
    return x, y


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(scope="module")
def problem():
    """Least squares with an intercept, in batches as in `option_problem`."""
    from option_problem import FEATURES, SAMPLES

    rng = np.random.default_rng(1)
    x = rng.normal(size=(SAMPLES, FEATURES))
    y = x @ rng.normal(size=(FEATURES, 1)) + 1.0 + 0.5 * rng.normal(size=(SAMPLES, 1))
    return x, y


@pytest.fixture
def network():
    """Builds a classifier with BatchNorm and dropout, the same weights each time."""

    def build(dropout=0.5):
        keras.utils.set_random_seed(3)
        return keras.Sequential(
            [
                keras.Input((6,)),
                keras.layers.Dense(8, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(dropout, seed=5),
                keras.layers.Dense(3),
            ]
        )

    return build


@pytest.fixture
def wrap():
    """Builds the named algorithm around a model."""

    def build(name, model, **kwargs):
        if name == "sgd":
            return tq_halp.SGD(model, **kwargs)
        if name == "lp_sgd":
            return tq_halp.LowPrecisionSGD(model, GRID, **kwargs)
        if name == "lp_svrg":
            return tq_halp.LowPrecisionSVRG(model, GRID, **kwargs)
        return {"svrg": tq_halp.SVRG, "halp": tq_halp.HALP}[name](model, **kwargs)

    return build


@pytest.fixture
def compiled():
    """Compiles an algorithm as a classifier."""

    def build(algorithm, rate=0.1, **kwargs):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        algorithm.compile(keras.optimizers.SGD(rate), loss=loss, metrics=["accuracy"], **kwargs)
        return algorithm

    return build
