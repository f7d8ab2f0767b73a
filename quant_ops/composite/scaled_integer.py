"""`scaled_integer` in TensorFlow ops: the twin of `cc/core/scaled_integer.h`."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.counter_rng import random_bits31
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
    """The arithmetic of `quant_ops.scaled_integer`; the arguments are valid and converted.

    Raises:
        tf.errors.InvalidArgumentError: `scale` is negative, infinite or NaN, or does not fit the
            axis, found at run time.
    """
    exact = overflow == "saturate" and word_bits <= 20 and tf.float64 not in (x.dtype, scale.dtype)
    scale = _broadcast_scale(_checked_scale(scale), x, axis if per_axis else None)
    classes = float_bits.classify(x)
    value = float_bits.to_float64(x)
    ratio = value / float_bits.opaque(scale, value)
    ratio = clamp_magnitude(ratio, classes, 2.0**-200, 2.0**200)
    if rounding == "stochastic" and exact:
        steps = _round_exactly(value, ratio, scale, random_bits31(tf.shape(x), seed, counter))
    else:
        steps = round_steps(ratio, rounding, seed, counter)
    for neighbour in (tf.math.ceil(ratio), tf.floor(ratio)):
        # fl(k * scale) / scale need not be k: what is on the grid already must stay there.
        on_grid = tf.equal(float_bits.round_to_carrier(neighbour * scale, x.dtype), value)
        on_grid = tf.logical_and(on_grid, tf.not_equal(neighbour, 0.0))  # a subnormal reads as 0
        steps = tf.where(on_grid, neighbour, steps)
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


def _round_exactly(
    value: tf.Tensor, ratio: tf.Tensor, scale: tf.Tensor, bits31: tf.Tensor
) -> tf.Tensor:
    """Stochastic rounding of value / scale by the exact fraction, for operands of up to 24 bits.

    The remainder is exact: below 2^22, a quotient of two such operands that is no integer is too
    far from one to round to it. bits31 < floor(remainder / scale * 2^31) is decided by the sign of
    a sum whose last term may be rounded; `is_drawn` in `cc/core/exact_quotient.h` has the proof.
    """
    whole = tf.floor(tf.abs(ratio))
    remainder = tf.abs(value) - whole * scale
    high = tf.cast(tf.bitwise.bitwise_and(bits31, ~127), tf.float64)
    low = tf.cast(tf.bitwise.bitwise_and(bits31, 127) + 1, tf.float64)
    rest = high * scale - remainder * 2.0**31
    whole += tf.cast(rest + low * scale <= 0.0, tf.float64)
    return tf.where(ratio < 0, -whole, whole)


def _checked_scale(scale: tf.Tensor) -> tf.Tensor:
    """`scale` in float64, with 0 for float64's subnormals; its values are checked at run time."""
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
    """`scale`, a vector, reshaped so that it broadcasts along `axis` of `x`."""
    if axis is None:
        return scale
    rank = tf.rank(x)
    axis = axis % rank
    check = tf.debugging.assert_equal(
        tf.size(scale), tf.shape(x)[axis], "scale must have one value for each index along axis"
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.reshape(scale, tf.one_hot(axis, rank, on_value=tf.size(scale), off_value=1))
