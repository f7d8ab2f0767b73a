"""`scaled_integer` in TensorFlow ops: the twin of `cc/core/scaled_integer.h`."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.float_bits import CARRIERS
from quant_ops.composite.rounding import (
    clamp_magnitude,
    positive_zero,
    round_steps,
    truncate,
    wrap_signed,
)


def scaled_integer(
    x: tf.Tensor,
    scale: tf.Tensor,
    seed: tf.Tensor,
    counter: tf.Tensor,
    *,
    word_bits: int,
    per_axis: bool,
    axis: int,
    rounding: str,
    overflow: str,
) -> tf.Tensor:
    """See `quant_ops.scaled_integer`; the arguments are valid and converted here."""
    scale = _broadcast_scale(_checked_scale(scale), x, axis if per_axis else None)
    classes = float_bits.classify(x)
    value = float_bits.to_float64(x)
    ratio = value / _opaque(scale, value)
    ratio = clamp_magnitude(ratio, classes, 2.0**-200, 2.0**200)
    steps = round_steps(ratio, rounding, seed, counter)
    if not rounding.startswith("nearest"):
        # fl(k * scale) / scale need not be k: what is on the grid already must stay there.
        nearest = tf.round(ratio)
        on_grid = tf.equal(float_bits.round_to_carrier(nearest * scale, x.dtype), value)
        on_grid = tf.logical_and(on_grid, tf.not_equal(nearest, 0.0))  # a subnormal reads as 0
        steps = tf.where(on_grid, nearest, steps)
    if overflow == "wrap":
        steps = wrap_signed(steps, word_bits)
    largest = float(CARRIERS[x.dtype].max)
    reach = tf.where(tf.equal(scale, 0.0), tf.zeros_like(scale), tf.floor(largest / scale))
    low = tf.constant(-(1 << word_bits - 1), tf.float64)
    high = tf.constant(truncate((1 << word_bits - 1) - 1, 53), tf.float64)
    steps = tf.clip_by_value(steps, tf.maximum(low, -reach), tf.minimum(high, reach))
    result = float_bits.round_to_carrier(steps * scale, x.dtype)
    result = positive_zero(tf.clip_by_value(result, -largest, largest))
    result = float_bits.from_float64(result, x.dtype)
    if overflow == "wrap":
        wraps = tf.logical_and(classes.infinite, tf.not_equal(scale, 0.0))
        result = float_bits.select(wraps, float_bits.nan(x.dtype), result)
    return float_bits.select(classes.nan, x, result)


def _checked_scale(scale: tf.Tensor) -> tf.Tensor:
    """`scale` in float64, with 0 for zero and float64's subnormals; raises where it is no scale."""
    classes = float_bits.classify(scale)
    invalid = (
        tf.logical_and(classes.negative, tf.logical_not(classes.zero))
        | classes.infinite
        | classes.nan
    )
    check = tf.debugging.assert_equal(
        tf.reduce_any(invalid), False, "scale must be finite and not negative", summarize=8
    )
    with tf.control_dependencies([check] if check is not None else []):
        return float_bits.to_float64(tf.identity(scale))


def _broadcast_scale(scale: tf.Tensor, x: tf.Tensor, axis: int | None) -> tf.Tensor:
    """Shapes a vector `scale` so that it broadcasts along `axis` of `x`."""
    if axis is None:
        return scale
    rank = tf.rank(x)
    axis = axis % rank
    check = tf.debugging.assert_equal(
        tf.size(scale), tf.shape(x)[axis], "scale must have one value for each index along axis"
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.reshape(scale, tf.one_hot(axis, rank, on_value=tf.size(scale), off_value=1))


def _opaque(scale: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """`scale`, shaped like `value` (both float64), in a form that no compiler takes for a constant.

    Grappler and XLA replace division by a constant with a product, which rounds differently. Here
    every element's bits are or-ed with a zero that only shows as one to who tracks single bits.
    """
    lowest = tf.bitwise.bitwise_and(tf.bitcast(value, tf.int64), 1)
    zero = tf.bitwise.right_shift(lowest, tf.ones_like(lowest))
    return tf.bitcast(tf.bitwise.bitwise_or(tf.bitcast(scale, tf.int64), zero), tf.float64)
