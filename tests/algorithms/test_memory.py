"""How many copies of the parameters an algorithm needs beside the model's own training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp

LAYERS, UNITS = 16, 256
COPY = 4 * LAYERS * UNITS * UNITS


def most(wrap):
    """The most bytes in tensors in the course of a training, its model included.

    Of eight: when the machine is busy, gradients may wait for the threads that use them up.
    """
    try:
        before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    except ValueError:
        pytest.skip("this TensorFlow does not count what the CPU's tensors need")
    dense = [keras.layers.Dense(UNITS, "relu", use_bias=False) for _ in range(LAYERS)]
    trainer = wrap(keras.Sequential([keras.Input((UNITS,)), *dense]))
    trainer.compile(keras.optimizers.SGD(1e-3), loss="mse")
    x = np.random.default_rng(0).normal(size=(16, UNITS)).astype("float32")
    peaks = []
    for _ in range(8):
        tf.config.experimental.reset_memory_stats("CPU:0")
        trainer.fit(x, x, batch_size=4, verbose=0)
        peaks.append(tf.config.experimental.get_memory_info("CPU:0")["peak"])
    return min(peaks) - before


def test_halp_needs_four_copies_more_than_plain_training():
    """w̃, g̃, z and ∇f_i(w̃) while ∇f_i(w) is taken; half a copy is left for tensors in passing."""
    plain = most(lambda model: model)
    assert plain < 1.5 * COPY
    assert 3 * COPY < most(tq_halp.HALP) - plain < 4.5 * COPY
