"""The quantizers written with TensorFlow ops only: the twin of `cc/core/`, bit for bit.

Each step is exact in the compute dtype, or defined to be one IEEE operation, so any correct
evaluation gives the same bits: eager, graph, another device, a compiler that fuses a product into a
sum.
"""

import tensorflow as tf

from quant_ops import float_bits
from quant_ops.counter_rng import random_bits31
from quant_ops.float_bits import CARRIERS, Carrier


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
    """See `quant_ops.fixed_point`; the arguments are valid and converted here."""
    narrow = x.dtype != tf.float64 and abs(frac_bits) <= 60 and word_bits <= 32
    compute, margin = (tf.float32, 64) if narrow else (tf.float64, 200)
    classes = float_bits.classify(x)
    value = tf.cast(x, tf.float32) if narrow else float_bits.to_float64(x)
    # The bounds keep the scaling clear of overflow and underflow; what is beyond them rounds and
    # saturates as they do, and wraps to 0 as they do: it is a multiple of 2^word_bits steps.
    value = _clamp_magnitude(
        value, classes, 2.0 ** (-frac_bits - margin), 2.0 ** (-frac_bits + margin)
    )
    steps = _round(value * _power(frac_bits, compute), rounding, seed, counter)
    if overflow == "wrap":
        precision = CARRIERS[x.dtype].precision
        steps = (
            _wrap_signed(steps, word_bits)
            if signed
            else _wrap_unsigned(steps, word_bits, precision)
        )
    low, high = _fixed_point_limits(CARRIERS[x.dtype], word_bits, frac_bits, signed)
    steps = tf.clip_by_value(steps, tf.constant(low, compute), tf.constant(high, compute))
    result = _positive_zero(steps * _power(-frac_bits, compute))
    result = tf.cast(result, x.dtype) if narrow else float_bits.from_float64(result, x.dtype)
    if overflow == "wrap":
        result = float_bits.select(classes.infinite, float_bits.nan(x.dtype), result)
    return float_bits.select(classes.nan, x, result)


def scaled_integer(
    x: tf.Tensor,
    scale: tf.Tensor,
    seed: tf.Tensor,
    counter: tf.Tensor,
    *,
    word_bits: int,
    axis: int | None,
    rounding: str,
    overflow: str,
) -> tf.Tensor:
    """See `quant_ops.scaled_integer`; the arguments are valid and converted here."""
    scale = _broadcast_scale(_checked_scale(scale), x, axis)
    classes = float_bits.classify(x)
    value = float_bits.to_float64(x)
    ratio = value / _opaque(scale, value)
    ratio = _clamp_magnitude(ratio, classes, 2.0**-200, 2.0**200)
    steps = _round(ratio, rounding, seed, counter)
    if not rounding.startswith("nearest"):
        # fl(k * scale) / scale need not be k: what is on the grid already must stay there.
        nearest = tf.round(ratio)
        on_grid = tf.equal(float_bits.round_to_carrier(nearest * scale, x.dtype), value)
        on_grid = tf.logical_and(on_grid, tf.not_equal(nearest, 0.0))  # a subnormal reads as 0
        steps = tf.where(on_grid, nearest, steps)
    if overflow == "wrap":
        steps = _wrap_signed(steps, word_bits)
    largest = float(CARRIERS[x.dtype].max)
    reach = tf.where(tf.equal(scale, 0.0), tf.zeros_like(scale), tf.floor(largest / scale))
    low = tf.constant(-(1 << word_bits - 1), tf.float64)
    high = tf.constant(_truncate((1 << word_bits - 1) - 1, 53), tf.float64)
    steps = tf.clip_by_value(steps, tf.maximum(low, -reach), tf.minimum(high, reach))
    result = float_bits.round_to_carrier(steps * scale, x.dtype)
    result = _positive_zero(tf.clip_by_value(result, -largest, largest))
    result = float_bits.from_float64(result, x.dtype)
    if overflow == "wrap":
        wraps = tf.logical_and(classes.infinite, tf.not_equal(scale, 0.0))
        result = float_bits.select(wraps, float_bits.nan(x.dtype), result)
    return float_bits.select(classes.nan, x, result)


def _clamp_magnitude(
    value, classes: float_bits.Classes, smallest: float, largest: float
) -> tf.Tensor:
    """Sign kept, |value| in [smallest, largest]; zero and NaN become 0."""
    smallest, largest = tf.constant(smallest, value.dtype), tf.constant(largest, value.dtype)
    magnitude = tf.abs(value)
    magnitude = tf.where(magnitude > smallest, magnitude, smallest)
    magnitude = tf.minimum(magnitude, largest)
    value = tf.where(classes.negative, -magnitude, magnitude)
    return tf.where(tf.logical_or(classes.zero, classes.nan), tf.zeros_like(value), value)


def _round(value: tf.Tensor, rounding: str, seed: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
    """Rounds to an integer; a difference is exact wherever its comparison depends on it."""
    one = tf.ones([], value.dtype)
    zero = tf.zeros([], value.dtype)
    if rounding == "nearest_even":
        return tf.round(value)
    if rounding == "down":
        return tf.floor(value)
    if rounding == "up":
        return tf.math.ceil(value)
    if rounding == "nearest_up":
        below = tf.floor(value)
        return below + tf.where(value - below >= 0.5, one, zero)
    magnitude = tf.abs(value)
    whole = tf.floor(magnitude)
    if rounding == "nearest_away":
        whole += tf.where(magnitude - whole >= 0.5, one, zero)
    elif rounding == "stochastic":
        chance = tf.cast((magnitude - whole) * 2.0**31, tf.int32)
        away = random_bits31(tf.shape(value), seed, counter) < chance
        whole += tf.where(away, one, zero)
    return tf.where(value < 0, -whole, whole)


def _wrap_signed(steps: tf.Tensor, word_bits: int) -> tf.Tensor:
    """Into [-2^(w-1), 2^(w-1)), modulo 2^w: exact, as the rest has no lower bits than `steps`."""
    turns = steps * _power(-word_bits, steps.dtype)
    rest = turns - tf.round(turns)
    rest = tf.where(tf.equal(rest, 0.5), -rest, rest)
    return rest * _power(word_bits, steps.dtype)


def _wrap_unsigned(steps: tf.Tensor, word_bits: int, precision: int) -> tf.Tensor:
    """Into [0, 2^w), modulo 2^w, rounded towards zero to `precision` bits.

    For -1 < turns < 0 the remainder 1 + turns may need more bits than there are: where it was
    rounded up (and rest - 1 is exact, so that shows) one unit in the last place is taken back.
    """
    turns = steps * _power(-word_bits, steps.dtype)
    rest = turns - tf.floor(turns)
    carrier = CARRIERS[steps.dtype]
    rounded_up = tf.logical_and(turns < 0, tf.logical_and(turns > -1, rest - 1 > turns))
    bits = tf.bitcast(rest, carrier.bits_dtype)
    bits = tf.where(rounded_up, bits - 1, bits)
    bits = tf.bitwise.bitwise_and(bits, -(1 << carrier.precision - precision))
    return tf.bitcast(bits, steps.dtype) * _power(word_bits, steps.dtype)


def _fixed_point_limits(
    carrier: Carrier, word_bits: int, frac_bits: int, signed: bool
) -> tuple[int, int]:
    """Smallest and largest step count, rounded inwards to what `carrier` can hold.

    A limit's value has at most `precision` bits, is at most the carrier's maximum, and is a
    multiple of its smallest subnormal.
    """
    low = 1 << (word_bits - 1) if signed else 0
    high = (1 << (word_bits - 1)) - 1 if signed else (1 << word_bits) - 1
    largest = carrier.max << frac_bits if frac_bits >= 0 else carrier.max >> -frac_bits
    unit = max(0, frac_bits + carrier.subnormal_exponent)

    def inwards(limit: int) -> int:
        limit = _truncate(min(limit, largest), carrier.precision)
        return limit >> unit << unit

    return -inwards(low), inwards(high)


def _truncate(integer: int, precision: int) -> int:
    drop = max(0, integer.bit_length() - precision)
    return integer >> drop << drop


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


def _positive_zero(value: tf.Tensor) -> tf.Tensor:
    """Replaces -0 by +0 with a select: adding 0.0 would be optimised away."""
    return tf.where(tf.equal(value, 0.0), tf.zeros_like(value), value)


def _power(exponent: int, dtype: tf.DType) -> tf.Tensor:
    return tf.constant(2.0**exponent, dtype)
