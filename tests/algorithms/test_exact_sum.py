"""Sums of gradients against rationals, in every dtype, dense and by rows, with and without XLA."""

from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tq_halp.algorithms.compensated_sum import ExactSums

DTYPES = ("bfloat16", "float16", "float32", "float64")


def summed(terms, dtype, factors=None, share=1.0, jit_compile=None):
    """The sum of the terms in a variable of that dtype."""
    result, spare = (keras.Variable(tf.zeros(terms[0].shape, dtype)) for _ in range(2))
    sums = ExactSums([result], [spare])
    add = tf.function(
        lambda term, factor: sums.add([term], factor), jit_compile=jit_compile, autograph=False
    )
    sums.start()
    for index, term in enumerate(terms):
        add(term, tf.constant(factors[index] if factors else 1.0, tf.float64))
    sums.finish(share)
    return result


def exact(terms, factors, share):
    """Σ factor · term · share in rationals, then rounded to float64."""
    total = [Fraction(0)] * terms[0].shape[0]
    for term, factor in zip(terms, factors, strict=True):
        for place, value in enumerate(np.asarray(term, "float64")):
            total[place] += Fraction(factor) * Fraction(float(value))
    return np.array([float(each * Fraction(share)) for each in total])


def terms_of(dtype, count=300):
    """Numbers of many magnitudes whose sums cancel."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(count, 8)) * 2.0 ** draw.integers(-9, 4, size=(count, 8))
    values[count // 2 :, :4] = -values[: count // 2, :4] * (1 + 1e-2)
    return [tf.constant(value, dtype) for value in values]


@pytest.mark.parametrize("jit_compile", [None, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_are_rounded_once(dtype, jit_compile):
    terms = terms_of(dtype)
    got = summed(terms, dtype, share=1 / 300, jit_compile=jit_compile)
    want = exact(terms, [1.0] * len(terms), 1 / 300)
    if dtype == "float64":
        np.testing.assert_allclose(got, want, rtol=2.0**-50)
    else:
        np.testing.assert_array_equal(got, tf.cast(want, dtype))


def test_a_short_minibatch_counts_its_share():
    terms, factors = terms_of("float32", 20), [1.0] * 19 + [0.3]
    want = exact(terms, factors, 1 / 19.3)
    np.testing.assert_array_equal(
        summed(terms, "float32", factors, 1 / 19.3), want.astype("float32")
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_hundred_thousand_ones(dtype):
    """In bfloat16 they would end at 256, in float16 at 2048."""
    result, spare = (keras.Variable(tf.zeros([1], dtype)) for _ in range(2))
    sums = ExactSums([result], [spare])
    one, factor = tf.ones([1], dtype), tf.constant(1.0, tf.float64)

    @tf.function
    def many():
        for _ in tf.range(100_000):
            sums.add([one], factor)

    sums.start()
    many()
    sums.finish(1e-5)
    np.testing.assert_array_equal(result, tf.cast([100_000 * 1e-5], dtype))


def test_rows_of_an_embedding_are_added_to_their_rows():
    draw = np.random.default_rng(1)
    slices, dense = [], []
    for _ in range(50):
        rows = draw.permutation(6)[:3]
        values = draw.normal(size=(3, 2)).astype("float32")
        slices.append(tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([6, 2])))
        dense.append(tf.convert_to_tensor(slices[-1]))
    np.testing.assert_array_equal(summed(slices, "float32"), summed(dense, "float32"))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(summed(slices[:-1], "float32"), summed(dense, "float32"))


def test_the_full_gradient_of_ones_in_bfloat16():
    """f_i(w) = w · 1: each minibatch's gradient is 1, and so is their mean."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype="bfloat16")
    model = keras.Sequential([keras.Input((1,), dtype="bfloat16"), dense])
    algorithm = tq_halp.SVRG(model, variance_ratio=False)
    algorithm.compile(keras.optimizers.SGD(0.0), loss=lambda y, p: p, run_eagerly=True)
    ones = np.ones((400, 1), "float32")
    history = algorithm.fit(ones, ones, batch_size=1, verbose=0).history
    assert history["full_gradient_norm"] == [1.0]
