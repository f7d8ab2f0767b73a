"""What the composite quantizers share: rounding to a whole number of steps, wrapping, bounds."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.counter_rng import random_bits31
from quant_ops.composite.float_bits import CARRIERS


def clamp_magnitude(
    value, classes: float_bits.Classes, smallest: float, largest: float
) -> tf.Tensor:
    """Sign kept, |value| in [smallest, largest]; zero and NaN become 0."""
    smallest, largest = tf.constant(smallest, value.dtype), tf.constant(largest, value.dtype)
    magnitude = tf.abs(value)
    magnitude = tf.where(magnitude > smallest, magnitude, smallest)
    magnitude = tf.minimum(magnitude, largest)
    value = tf.where(classes.negative, -magnitude, magnitude)
    return tf.where(tf.logical_or(classes.zero, classes.nan), tf.zeros_like(value), value)


def round_steps(value: tf.Tensor, rounding: str, seed: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
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


def wrap_signed(steps: tf.Tensor, word_bits: int) -> tf.Tensor:
    """Into [-2^(w-1), 2^(w-1)), modulo 2^w: exact, as the rest has no lower bits than `steps`."""
    turns = steps * power(-word_bits, steps.dtype)
    rest = turns - tf.round(turns)
    rest = tf.where(tf.equal(rest, 0.5), -rest, rest)
    return rest * power(word_bits, steps.dtype)


def wrap_unsigned(steps: tf.Tensor, word_bits: int, precision: int) -> tf.Tensor:
    """Into [0, 2^w), modulo 2^w, rounded towards zero to `precision` bits.

    For -1 < turns < 0 the remainder 1 + turns may need more bits than there are: where it was
    rounded up (and rest - 1 is exact, so that shows) one unit in the last place is taken back.
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
    """Replaces -0 by +0 with a select: adding 0.0 would be optimised away."""
    return tf.where(tf.equal(value, 0.0), tf.zeros_like(value), value)


def power(exponent: int, dtype: tf.DType) -> tf.Tensor:
    return tf.constant(2.0**exponent, dtype)


def truncate(integer: int, precision: int) -> int:
    drop = max(0, integer.bit_length() - precision)
    return integer >> drop << drop
