"""Blocks that show what a block format does: ties, thresholds of the scale, special values."""

import ml_dtypes
import numpy as np
import tensorflow as tf
from carrier_values import BITS, to_bits


def as_blocks(x: np.ndarray, axis: int, size: int) -> np.ndarray:
    """The blocks along `axis`, one per row."""
    return np.moveaxis(x, axis, -1).reshape(-1, size)


def from_blocks(blocks: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """The inverse of `as_blocks`."""
    moved = np.moveaxis(np.empty(shape, np.bool_), axis, -1).shape
    return np.moveaxis(blocks.reshape(moved), -1, axis)


def blocks_of_all_kinds(dtype: str, count: int, size: int, seed: int) -> np.ndarray:
    """Bit patterns [count, size]. The kinds take turns, which is why `count` should be 12 or more:
    short integers, whose quotients are ties; any floats; a first element at a threshold of the
    scale; and special values. The magnitudes run over all exponents of the dtype."""
    rng = np.random.default_rng(seed)
    as_numpy = tf.as_dtype(dtype).as_numpy_dtype
    info = ml_dtypes.finfo(as_numpy)
    lowest, highest = int(np.log2(float(info.tiny))) - 8, int(np.log2(float(info.max)))
    exponent = rng.integers(lowest, highest - 6, (count, 1))
    numbers = rng.integers(-40, 41, (count, size)).astype(np.float64)
    numbers[1::4] = rng.normal(size=numbers[1::4].shape)
    # amax / 2^E at 1, at the largest element's significand, and where "even" begins to round up
    significands = [1, 1.5, 1.75, 1.875, 127 / 64, 1.9375, 1.96875, 2 - 2.0**-8]
    numbers[2::4, 0] = rng.choice(significands, len(numbers[2::4])) * 64
    with np.errstate(over="ignore"):
        bits = to_bits(np.ldexp(numbers, exponent).astype(as_numpy))
    beside = rng.integers(-1, 2, bits.shape) * (rng.random(bits.shape) < 0.3)
    bits = np.where(bits == 0, bits, bits + beside.astype(BITS[dtype]))
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, float(info.max), -float(info.max)])
    special = to_bits(special.astype(as_numpy))
    few = rng.random(bits[3::4].shape) < 0.2
    bits[3::4] = np.where(few, rng.choice(special[:5], few.shape), bits[3::4])
    bits[-1] = rng.choice(special[:2], size)  # zeros
    bits[-2] = rng.choice(special[:5], size)  # not a nonzero finite number
    bits[-3] = rng.choice(special, size)
    bits[-4] = rng.integers(0, 4, size)  # the smallest subnormals
    return bits
