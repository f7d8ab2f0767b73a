"""Gradients of embeddings, of which a minibatch has only some rows, some of them several times."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tq_halp.algorithms.compensated_sum import ExactSums
from tq_halp.algorithms.minibatch_gradient import corrected, dense, each_row_once

ROWS, WIDTH, TOKENS = 50, 8, 400


def sparse(seed, rows=None):
    """An embedding's gradient in which rows repeat; float32 values of many magnitudes."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, ROWS, TOKENS) if rows is None else rows
    values = draw.normal(size=(len(rows), WIDTH)) * 10.0 ** draw.integers(-6, 3, (len(rows), 1))
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(rows, tf.int32), tf.constant([ROWS, WIDTH])
    )


@tf.function
def correction(gradient, anchor, full, a):
    return corrected(each_row_once(gradient), each_row_once(anchor), full, a)


def test_each_row_comes_once_and_is_the_sum():
    gradient = sparse(0)
    once = each_row_once(gradient)
    assert len(set(once.indices.numpy())) == len(once.indices)
    total = tf.zeros((ROWS, WIDTH))
    np.testing.assert_array_equal(dense(once, total), dense(gradient, total))


def test_a_scatter_of_rows_once_has_one_result():
    results = set()
    for _ in range(40):
        total, spare = (keras.Variable(tf.zeros((ROWS, WIDTH))) for _ in range(2))
        sums = ExactSums([total], [spare])
        sums.start()
        sums.add([each_row_once(sparse(1))], tf.constant(1.0, tf.float64))
        sums.finish(1.0)
        results.add(total.numpy().tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("a", [None, 0.3])
def test_correction_of_rows_is_the_dense_one(a):
    share = np.float32(1 if a is None else a)
    full = tf.constant(np.random.default_rng(2).normal(size=(ROWS, WIDTH)), tf.float32)
    same_rows = np.random.default_rng(3).integers(0, ROWS, TOKENS)
    for other in (sparse(4, same_rows), sparse(5), sparse(6, same_rows[:7])):
        gradient = sparse(3, same_rows)
        want = (dense(gradient, full) - share * dense(other, full)) + share * full
        np.testing.assert_array_equal(correction(gradient, other, full, a), want)


def test_at_the_snapshot_the_correction_is_exactly_zero():
    draw = np.random.default_rng(7)
    x, y = draw.integers(0, ROWS, (24, 10)), draw.integers(0, 2, (24, 1))
    inputs = keras.Input((10,), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(ROWS, WIDTH)(inputs))
    algorithm = tq_halp.SVRG(keras.Model(inputs, keras.layers.Dense(1)(pooled)), snapshot_every=1)
    algorithm.compile(keras.optimizers.SGD(1.0), loss="mse")
    algorithm.fit(x, y, batch_size=8, epochs=1, verbose=0)
    for center, full, variable in zip(
        algorithm.center, algorithm.full_gradient, algorithm.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(center - full, variable)
