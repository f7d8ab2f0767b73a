"""`fixed_point` in TensorFlow ops: the twin of `cc/core/fixed_point.h`."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.float_bits import CARRIERS, Carrier
from quant_ops.composite.rounding import (
    clamp_magnitude,
    positive_zero,
    power,
    round_steps,
    truncate,
    wrap_signed,
    wrap_unsigned,
)


def fixed_point(
    x: tf.Tensor,
    seed: tf.Tensor,
    counter: tf.Tensor,
    *,
    word_bits: int,
    frac_bits: int,
    signed: bool,
    rounding: str,
    overflow: str,
) -> tf.Tensor:
    """The arithmetic of `quant_ops.fixed_point`; the arguments are valid and converted."""
    narrow = x.dtype != tf.float64 and abs(frac_bits) <= 60 and word_bits <= 32
    compute, margin = (tf.float32, 64) if narrow else (tf.float64, 200)
    classes = float_bits.classify(x)
    value = tf.cast(x, tf.float32) if narrow else float_bits.to_float64(x)
    # Within these bounds scaling neither overflows nor underflows. Values beyond them round and
    # saturate as the bounds do, and wrap to 0 as they do: as multiples of 2^word_bits steps.
    value = clamp_magnitude(
        value, classes, 2.0 ** (-frac_bits - margin), 2.0 ** (-frac_bits + margin)
    )
    steps = round_steps(value * power(frac_bits, compute), rounding, seed, counter)
    if overflow == "wrap":
        precision = CARRIERS[x.dtype].precision
        steps = (
            wrap_signed(steps, word_bits) if signed else wrap_unsigned(steps, word_bits, precision)
        )
    low, high = fixed_point_limits(CARRIERS[x.dtype], word_bits, frac_bits, signed)
    steps = tf.clip_by_value(steps, tf.constant(low, compute), tf.constant(high, compute))
    result = positive_zero(steps * power(-frac_bits, compute))
    result = tf.cast(result, x.dtype) if narrow else float_bits.from_float64(result, x.dtype)
    if overflow == "wrap":
        result = float_bits.select(classes.infinite, float_bits.nan(x.dtype), result)
    return float_bits.select(classes.nan, x, result)


def fixed_point_limits(
    carrier: Carrier, word_bits: int, frac_bits: int, signed: bool
) -> tuple[int, int]:
    """The smallest and the largest integer of the grid, rounded inwards to what `carrier` can hold.

    The value of each, integer * 2^-frac_bits, then has at most `precision` bits, is at most the
    carrier's maximum, and is a multiple of its smallest subnormal.
    """
    low = 1 << (word_bits - 1) if signed else 0
    high = (1 << (word_bits - 1)) - 1 if signed else (1 << word_bits) - 1
    largest = carrier.max << frac_bits if frac_bits >= 0 else carrier.max >> -frac_bits
    unit = max(0, frac_bits + carrier.subnormal_exponent)

    def inwards(limit: int) -> int:
        limit = truncate(min(limit, largest), carrier.precision)
        return limit >> unit << unit

    return -inwards(low), inwards(high)
