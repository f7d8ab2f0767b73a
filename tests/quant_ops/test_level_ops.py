"""binary, ternary and sparse against their definitions, at their thresholds and over all values."""

import numpy as np
import oracle_arrays
import oracle_levels
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import BACKENDS, BITS, DTYPES, expect, from_bits, spread, to_bits, to_floats

import quant_ops
from quant_ops.composite.levels import ternary_threshold
from quant_ops.library import forced

SEED, COUNTER = -1, 1 << 33
TINY = {"float16": 3e-7, "bfloat16": 3e-39, "float32": 3e-42, "float64": 3e-322}  # subnormals


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with forced(request.param):
        yield


def around(number: float, dtype: str) -> tf.Tensor:
    """Values of every magnitude, then multiples of `number` with the floats beside, both signs."""
    multiples = np.array([0, 0.25, 0.5, 1, 1, 2, 3]) * number
    with np.errstate(over="ignore"):
        bits = to_bits(multiples.astype(tf.as_dtype(dtype).as_numpy_dtype))
    one = BITS[dtype](1)
    bits = np.concatenate([bits, bits + one, bits[multiples != 0] - one])
    bits = np.concatenate([bits, bits | BITS[dtype](1 << 8 * bits.itemsize - 1)])
    return from_bits(np.concatenate([spread(dtype, 600, number, seed=2), bits]), dtype)


def held(number: float, dtype: str) -> float:
    return float(oracle.DTYPES[dtype].round(oracle.Fraction(number)))


def apply(function, x: tf.Tensor, *arguments) -> list[float]:
    return [function(value, *arguments) for value in to_floats(x)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [1.0, 0.1, 60000.0, "tiny"])
def test_binary(level, dtype):
    level = held(TINY[dtype] if level == "tiny" else level, dtype)
    x = around(level, dtype)
    expect(quant_ops.binary(x, level), x, apply(oracle_levels.binary, x, level))
    bits = oracle_arrays.random_bits31(SEED, COUNTER, len(x)).tolist()
    expected = [
        oracle_levels.binary(value, level, "stochastic", bits[i])
        for i, value in enumerate(to_floats(x))
    ]
    result = quant_ops.binary(x, level, rounding="stochastic", seed=SEED, counter=COUNTER)
    expect(result, x, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ternary(dtype):
    for threshold in (0.0, 0.05, 1.0, 1e-310, 5e-324, 1e300, TINY[dtype]):
        x = around(threshold if threshold < 1e5 else 1.0, dtype)
        for level in (1.0, 0.1, TINY[dtype]):
            expected = apply(oracle_levels.ternary, x, held(level, dtype), threshold)
            expect(quant_ops.ternary(x, level, threshold), x, expected, (level, threshold))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse(dtype):
    for threshold in (0.0, 0.05, 1.0, 1e-310, 5e-324, 1e300, TINY[dtype]):
        x = around(threshold if threshold < 1e5 else 1.0, dtype)
        expected = apply(oracle_levels.sparse, x, threshold)
        expect(quant_ops.sparse(x, threshold), x, expected, threshold)


def test_comparisons_are_exact():
    """float32's 0.1 is 0.100000001..., float64's is nearer to a tenth."""
    x = tf.constant([0.1, -0.1, 0.099, np.inf, -np.inf, np.nan])
    for threshold in (0.1, tf.constant(0.1, tf.float64)):
        expect(quant_ops.ternary(x, 2.0, threshold), x, [2, -2, 0, 2, -2, np.nan])
    expect(quant_ops.ternary(x, 2.0, tf.constant(0.1)), x, [0, 0, 0, 2, -2, np.nan])
    tenth = float(np.float32(0.1))
    expect(quant_ops.sparse(x, tf.constant(0.1)), x, [tenth, -tenth, 0, np.inf, -np.inf, np.nan])


def test_levels_are_rounded_to_the_dtype_of_x():
    x = tf.constant([1.0, -1.0], tf.bfloat16)
    for level in (0.1, np.float64(0.1), tf.constant(0.1, tf.float64)):
        expect(quant_ops.binary(x, level), x, [held(0.1, "bfloat16"), -held(0.1, "bfloat16")])


def samples(dtype: str):
    """Tensors for the threshold that ternary derives."""
    rng = np.random.default_rng(5)
    as_numpy = tf.as_dtype(dtype).as_numpy_dtype
    yield tf.zeros([0], dtype)
    yield tf.zeros([5], dtype)
    yield tf.constant([np.nan, np.inf, -np.inf, 0], dtype)
    for size in (1, 2, 63, 64, 65, 1000):
        yield tf.constant(rng.normal(size=size).astype(as_numpy))
        yield from_bits(to_bits(rng.normal(size=size).astype(as_numpy)) | BITS[dtype](3), dtype)
        yield from_bits(spread(dtype, 20 + size, 0.1, size), dtype)
    yield from_bits(np.arange(1, 8), dtype)  # subnormals
    yield tf.fill([31], tf.constant(tf.as_dtype(dtype).max, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_threshold_of_ternary(dtype):
    for x in samples(dtype):
        threshold = oracle_levels.ternary_threshold(to_floats(x))
        assert ternary_threshold(x).numpy() == threshold, to_floats(x)
        expected = apply(oracle_levels.ternary, x, 1.0, threshold)
        expect(quant_ops.ternary(x), x, expected)


def test_the_threshold_by_hand():
    """0.7 times the mean of 1, 2, 3, 4 and 10 is 2.8; NaN and infinities are not counted."""
    x = tf.constant([1.0, -2, 3, -4, 10, np.inf, np.nan])
    expect(quant_ops.ternary(x, 0.5), x, [0, 0, 0.5, -0.5, 0.5, 0.5, np.nan])


def test_the_threshold_does_not_depend_on_the_order():
    x = tf.random.stateless_normal([4097], (3, 4))
    threshold = ternary_threshold(x)
    assert ternary_threshold(x[::-1]) == threshold
    assert ternary_threshold(tf.sort(x)) == threshold
    # The sum is truncated to 62 - 13 bits below 2^(E+1): the error of the mean is below 2^(E-48).
    mean = np.abs(np.float64(x.numpy())).mean()
    assert abs(float(threshold) - 0.7 * mean) < 2.0**-44
