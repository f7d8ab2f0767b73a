"""Least squares in five minibatches, the last one short, for the tests of gradient tables."""

import keras
import numpy as np

import tq_halp

SAMPLES, FEATURES, BATCH = 46, 6, 10  # five minibatches, the last one short
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(SAMPLES, FEATURES))
Y = X @ _RNG.normal(size=(FEATURES, 1)) + 0.5 * _RNG.normal(size=(SAMPLES, 1))
PARTS = [slice(i, i + BATCH) for i in range(0, SAMPLES, BATCH)]
SIZES = np.array([len(X[part]) for part in PARTS])


def half_squares(y, prediction):
    return keras.ops.mean(keras.ops.square(y - prediction)) / 2


def saga(kind="SAGA", rate=0.1, model=None, **options):
    if model is None:
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((FEATURES,)), dense])
    trainer = getattr(tq_halp, kind)(model, **options)
    trainer.compile(keras.optimizers.SGD(rate), loss=half_squares)
    return trainer


def fit(trainer, epochs, x=X, y=Y, **options):
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | options
    return trainer.fit(x, y, epochs=epochs, **options).history
