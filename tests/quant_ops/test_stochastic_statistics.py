"""Stochastic rounding of every op: mean, variance, and no correlation where there must be none.

Which bits are drawn is proven elsewhere (test_random_bits_of_ops.py); here, that they are random
enough for what the ops make of them. n = 10^6 draws each; a bound of five standard deviations
fails for one in 1.7 million choices of seed.
"""

import numpy as np
import pytest
import tensorflow as tf

import quant_ops

N = 1_000_000


def plain(function, *arguments, **options):
    def draw(value, dtype, **stream):
        x = tf.fill([N], tf.constant(value, dtype))
        return function(x, *arguments, rounding="stochastic", **options, **stream)

    return draw


def in_blocks(function, amax, *arguments):
    """Blocks of 32; the first element, `amax`, sets the scale and is left out."""

    def draw(value, dtype, **stream):
        x = np.full((N // 32, 32), value)
        x[:, 0] = amax
        x = tf.constant(x, dtype)
        result = function(x, *arguments, block_size=32, rounding="stochastic", **stream)
        return result[:, 1:]

    return draw


def scaled(x, **how):
    return quant_ops.scaled_integer(x, np.float32(0.25), 8, **how)


DRAWS = {
    "fixed_point": plain(quant_ops.fixed_point, 8, 0),
    "scaled_integer": plain(scaled),
    "minifloat": plain(quant_ops.minifloat, 4, 3, specials="nan"),
    "no subnormals": plain(quant_ops.minifloat, 3, 2, subnormals=False),
    "power_of_two": plain(quant_ops.power_of_two, -2, 5),
    "block_float": in_blocks(quant_ops.block_float, 1.0, 4),
    "mx": in_blocks(quant_ops.mx, 4.0, "float4_e2m1fn"),
    "binary": plain(quant_ops.binary),
}
# What draws, the value, its two neighbours.
BETWEEN = [
    ("fixed_point", 2.0**-12, 0, 1), ("fixed_point", 0.1, 0, 1), ("fixed_point", 7.5, 7, 8),
    ("fixed_point", -0.3, -1, 0),
    ("scaled_integer", 0.3, 0.25, 0.5), ("scaled_integer", -0.9, -1, -0.75),
    ("minifloat", 1.03, 1, 1.125), ("minifloat", -4.03 * 2.0**-9, -5 * 2.0**-9, -4 * 2.0**-9),
    ("minifloat", 0.3 * 2.0**-9, 0, 2.0**-9), ("minifloat", 301.0, 288, 320),
    ("no subnormals", 0.03, 0, 0.25),
    ("power_of_two", 1.3, 1, 2), ("power_of_two", 0.1, 0, 0.25), ("power_of_two", -23.0, -32, -16),
    ("block_float", 0.3, 0.25, 0.5), ("block_float", -0.05, -0.25, 0),
    ("mx", 2.7, 2, 3), ("mx", -0.1, -0.5, 0),
    ("binary", 0.3, -1, 1), ("binary", -0.999, -1, 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name, value, low, high", BETWEEN)
def test_mean_and_variance(name, value, low, high, dtype):
    """Steps are 1 with probability p and else 0: mean p, with standard deviation sqrt(v / n), v =
    p (1 - p). The sample variance has standard deviation sqrt((m4 - v^2) / n) with m4 = v (1 - 3 v)
    and a bias below that of the mean, squared. floor(f 2^31) takes up to 2^-31 from p, and float64
    another 2^-52."""
    for seed in (0, -5, 1 << 35):
        result = DRAWS[name](value, dtype, seed=seed, counter=seed + 1)
        result = result.numpy().astype(np.float64)
        assert np.isin(result, [low, high]).all()
        steps = (result - low) / (high - low)
        p = (float(tf.constant(value, dtype)) - low) / (high - low)
        v, n = p * (1 - p), steps.size
        assert abs(steps.mean() - p) < 5 * np.sqrt(v / n) + 2.0**-30
        bound = 5 * np.sqrt(max(v * (1 - 3 * v) - v * v, 0) / n) + 25 * v / n + 2.0**-30
        assert abs(steps.var() - v) < bound


HALFWAY = {
    "fixed_point": 0.5, "scaled_integer": 0.125, "minifloat": 1.0625, "power_of_two": 1.5,
    "block_float": 0.375, "mx": 2.5, "binary": 0.0,
}  # fmt: skip
STREAMS = [(s, 0) for s in (1, 2, -1, -2, 1 << 32, (1 << 32) + 1, -(1 << 32), 1 << 62, -(1 << 63))]
STREAMS += [(0, c) for c in (1, 2, -1, 1 << 32, (1 << 32) + 1, (1 << 33) + 5, 1 << 62, -(1 << 63))]
STREAMS += [(1, 1), (1, -1), (-1, 1), (1 << 32, 1 << 32)]
LAGS = (1, 2, 3, 4, 8, 31, 32, 64, 512, 1000, 1024, 1 << 16)


@pytest.mark.parametrize("name", HALFWAY)
def test_no_correlation_between_elements_seeds_and_counters(name):
    """Correlations of n fair coins have standard deviation 1 / sqrt(n)."""

    def coins(seed, counter):
        result = DRAWS[name](HALFWAY[name], "float32", seed=seed, counter=counter).numpy().ravel()
        return np.where(result == result.max(), 1.0, -1.0)

    base = coins(0, 0)
    others = {("seed, counter", *stream): coins(*stream) for stream in STREAMS}
    others |= {("lag", lag): np.roll(base, lag) for lag in LAGS}
    others |= {("lag of the next counter", lag): np.roll(coins(0, 1), lag) for lag in (1, -1, 32)}
    correlations = {name: np.mean(base * other) for name, other in others.items()}
    bound = 5 / np.sqrt(base.size)
    assert not {name: c for name, c in correlations.items() if abs(c) > bound}


def test_one_stream_is_one_stream():
    """Ops that share seed and counter draw the same bits: whoever wants independent rounding of two
    tensors gives them different counters."""
    x = tf.random.stateless_uniform([10_000], (1, 2))
    how = {"rounding": "stochastic", "seed": 3, "counter": 4}
    one, other = quant_ops.fixed_point(x, 8, 0, **how), quant_ops.fixed_point(x, 9, 0, **how)
    assert (one.numpy() == other.numpy()).all()
    apart = quant_ops.fixed_point(x, 8, 0, **(how | {"counter": 5}))
    assert (one.numpy() != apart.numpy()).any()
