"""Products with a rounded running sum in TensorFlow ops: the twin of `cc/core/matmul_tile.h`.

A product of two float32 numbers is exact in float64, so a compiler that fuses it into the sum
changes no bit. The loop takes one step per term, which is slow.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.fixed_point import fixed_point, fixed_point_limits
from quant_ops.composite.float_bits import CARRIERS
from quant_ops.composite.minifloat import minifloat

WEYL = 0x9E3779B97F4A7C15 - (1 << 64)  # odd, near 2^64 over the golden ratio; as an int64


def matmul_fixed_point(
    a: tf.Tensor, b: tf.Tensor, seed: tf.Tensor, counter: tf.Tensor, *, every: int, **grid: Any
) -> tf.Tensor:
    """The arithmetic of `quant_ops.matmul_rounded` with a fixed-point accumulator.

    Args:
        a: float32 [batch, rows, terms].
        b: float32 [batch, terms, columns].
        seed, counter: int64 scalars.
        every: terms between two roundings.
        grid: the arguments of `fixed_point`.

    Returns:
        float32 [batch, rows, columns].
    """
    total = _sum(a, b, seed, every, lambda x, seed: fixed_point(x, seed, counter, **grid))
    limits = fixed_point_limits(
        CARRIERS[tf.float32], grid["word_bits"], grid["frac_bits"], grid["signed"]
    )
    delta = 2.0 ** -grid["frac_bits"]
    low, high = (tf.constant(limit * delta, tf.float64) for limit in limits)
    held = tf.clip_by_value(float_bits.round_to_carrier(total, tf.float32), low, high)
    return _with_nan(total, float_bits.from_float64(held, tf.float32))


def matmul_minifloat(
    a: tf.Tensor, b: tf.Tensor, seed: tf.Tensor, counter: tf.Tensor, *, every: int, **grid: Any
) -> tf.Tensor:
    """As `matmul_fixed_point`, with a minifloat accumulator; float32 holds every minifloat."""
    total = _sum(a, b, seed, every, lambda x, seed: minifloat(x, seed, counter, **grid))
    magnitude = float_bits.from_float64(tf.abs(total), tf.float32)
    negative = float_bits.classify(total).negative
    return _with_nan(total, float_bits.with_sign(magnitude, negative))


def _sum(
    a: tf.Tensor,
    b: tf.Tensor,
    seed: tf.Tensor,
    every: int,
    quantize: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """The running sum after the last term, float64 [batch, rows, columns]."""
    columns = tf.transpose(float_bits.to_float64(a), [2, 0, 1])[..., tf.newaxis]
    rows = tf.transpose(float_bits.to_float64(b), [1, 0, 2])[:, :, tf.newaxis]
    terms = tf.shape(a, tf.int64)[2]

    def add_term(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, total + columns[i] * rows[i]

    def add_block(
        block: tf.Tensor, i: tf.Tensor, total: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        end = i + tf.minimum(tf.constant(every, tf.int64), terms - i)
        i, total = tf.while_loop(lambda i, _: i < end, add_term, (i, total))
        return block + 1, i, quantize(total, seed + block * tf.constant(WEYL, tf.int64))

    batch, count, _ = tf.unstack(tf.shape(a))
    zeros = tf.zeros([batch, count, tf.shape(b)[2]], tf.float64)
    start = (tf.constant(0, tf.int64), tf.constant(0, tf.int64), zeros)
    shapes = (tf.TensorShape([]), tf.TensorShape([]), zeros.shape)
    return tf.while_loop(
        lambda block, i, total: i < terms, add_block, start, shape_invariants=shapes
    )[2]


def _with_nan(total: tf.Tensor, result: tf.Tensor) -> tf.Tensor:
    """`result`, with the canonical NaN where `total` is NaN: a sum's NaN depends on the machine."""
    return float_bits.select(float_bits.classify(total).nan, float_bits.nan(tf.float32), result)
