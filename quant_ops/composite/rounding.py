"""Rounding to integers, wrapping and clamping in TensorFlow ops, for the composite quantizers."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.counter_rng import random_bits31
from quant_ops.composite.float_bits import CARRIERS


def clamp_magnitude(
    value: tf.Tensor, classes: float_bits.Classes, smallest: float, largest: float
) -> tf.Tensor:
    """`value` with |value| clamped to [smallest, largest] and its sign kept; 0 for zero and NaN."""
    smallest, largest = tf.constant(smallest, value.dtype), tf.constant(largest, value.dtype)
    magnitude = tf.abs(value)
    magnitude = tf.where(magnitude > smallest, magnitude, smallest)
    magnitude = tf.minimum(magnitude, largest)
    value = tf.where(classes.negative, -magnitude, magnitude)
    return tf.where(tf.logical_or(classes.zero, classes.nan), tf.zeros_like(value), value)


def round_steps(value: tf.Tensor, rounding: str, seed: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
    """`value` (float32 or float64) rounded to an integer of the same dtype.

    Args:
        rounding: one of `quant_ops.arguments.ROUNDINGS`.
        seed, counter: int64 scalars; only "stochastic" reads them.
    """
    # value - floor(value) is exact wherever the comparison with 0.5 or a chance depends on it.
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


def wrap_signed(steps: tf.Tensor, word_bits: int) -> tf.Tensor:
    """`steps` modulo 2^w, in [-2^(w-1), 2^(w-1)), w = word_bits.

    Exact: the rest has no lower bits than `steps`.
    """
    turns = steps * power(-word_bits, steps.dtype)
    rest = turns - tf.round(turns)
    rest = tf.where(tf.equal(rest, 0.5), -rest, rest)
    return rest * power(word_bits, steps.dtype)


def wrap_unsigned(steps: tf.Tensor, word_bits: int, precision: int) -> tf.Tensor:
    """`steps` modulo 2^w, in [0, 2^w), w = word_bits, rounded towards zero to `precision` bits.

    For -1 < turns < 0 the remainder 1 + turns may need more bits than the dtype has. Where it was
    rounded up, which rest - 1 shows because it is exact, one unit in the last place is subtracted.
    """
    turns = steps * power(-word_bits, steps.dtype)
    rest = turns - tf.floor(turns)
    carrier = CARRIERS[steps.dtype]
    rounded_up = tf.logical_and(turns < 0, tf.logical_and(turns > -1, rest - 1 > turns))
    bits = tf.bitcast(rest, carrier.bits_dtype)
    bits = tf.where(rounded_up, bits - 1, bits)
    bits = tf.bitwise.bitwise_and(bits, -(1 << carrier.precision - precision))
    return tf.bitcast(bits, steps.dtype) * power(word_bits, steps.dtype)


def positive_zero(value: tf.Tensor) -> tf.Tensor:
    """`value` with +0 for -0, by a select: a compiler would remove the addition of 0.0."""
    return tf.where(tf.equal(value, 0.0), tf.zeros_like(value), value)


def power(exponent: int, dtype: tf.DType) -> tf.Tensor:
    """2^exponent as a constant scalar of `dtype`."""
    return tf.constant(2.0**exponent, dtype)


def truncate(integer: int, precision: int) -> int:
    """`integer` >= 0, rounded towards zero to `precision` significant bits."""
    drop = max(0, integer.bit_length() - precision)
    return integer >> drop << drop
