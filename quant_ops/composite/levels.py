"""`binary`, `ternary` and `sparse` in TensorFlow ops: the twin of `cc/core/levels.h`."""

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.counter_rng import random_bits31
from quant_ops.composite.float_bits import CARRIERS


def binary(
    x: tf.Tensor, level: tf.Tensor, seed: tf.Tensor, counter: tf.Tensor, *, rounding: str
) -> tf.Tensor:
    """The arithmetic of `quant_ops.binary`; `level` is a scalar of x's dtype.

    Raises:
        tf.errors.InvalidArgumentError: `level` is not positive and finite, found at run time.
    """
    level = _checked_level(level)
    classes = float_bits.classify(x)
    if rounding == "nearest_up":
        minus = tf.logical_and(classes.negative, tf.logical_not(classes.zero))
    else:
        chance = tf.floor((1.0 + _clamped_ratio(x, level, classes.negative)) * 2.0**30)
        bits31 = random_bits31(tf.shape(x), seed, counter)
        minus = tf.cast(bits31, tf.float64) >= chance
    return float_bits.select(classes.nan, x, float_bits.with_sign(level, minus))


def ternary(x: tf.Tensor, level: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """The arithmetic of `quant_ops.ternary`; scalars: `level` of x's dtype, `threshold` float64.

    Raises:
        tf.errors.InvalidArgumentError: `level` is not positive and finite, or `threshold` not
            finite and not negative, found at run time.
    """
    level, threshold = _checked_level(level), _checked_threshold(threshold)
    classes = float_bits.classify(x)
    above = float_bits.magnitude_bits(x) > float_bits.magnitude_bits(threshold)
    level = float_bits.with_sign(level, classes.negative)
    result = float_bits.select(above, level, tf.zeros([], x.dtype))
    return float_bits.select(classes.nan, x, result)


def sparse(x: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """The arithmetic of `quant_ops.sparse`; `threshold` is a float64 scalar.

    Raises:
        tf.errors.InvalidArgumentError: `threshold` is not finite and not negative, found at run
            time.
    """
    threshold = _checked_threshold(threshold)
    bits = float_bits.magnitude_bits(x)
    kept = tf.logical_and(bits >= float_bits.magnitude_bits(threshold), tf.not_equal(bits, 0))
    return float_bits.select(kept, x, tf.zeros([], x.dtype))


def ternary_threshold(x: tf.Tensor) -> tf.Tensor:
    """The threshold of Ternary Weight Networks: 0.7 mean |x| over the finite elements.

    With the largest finite |x| in [2^E, 2^(E+1)), n finite elements and s = 62 - bit_length(size):

        threshold = float64(sum floor(|x| 2^(s-1-E))) * (0.7 / n) * 2^(E+1-s)

    The int64 sum is exact and cannot overflow, so its order does not matter.

    Returns:
        float64 scalar.

    References: Li et al., Ternary Weight Networks, arXiv 1605.04711, equation 6.
    """
    bits = float_bits.magnitude_bits(x)
    finite = bits < CARRIERS[tf.float64].infinity_bits
    bits = tf.where(finite, bits, tf.zeros_like(bits))
    largest = tf.maximum(tf.reduce_max(bits), 0)  # of no elements: 0
    top = float_bits.split(tf.bitcast(largest, tf.float64))[1]
    size = float_bits.split(tf.cast(tf.size(x, tf.int64), tf.float64))[1]
    scale = 62 - tf.maximum(size + 1, 0)  # the bit length is the exponent and one
    terms = _scaled(tf.bitcast(bits, tf.float64), scale - 1 - top, x.dtype)
    total = tf.cast(tf.reduce_sum(tf.cast(terms, tf.int64)), tf.float64)
    count = tf.cast(tf.maximum(tf.math.count_nonzero(finite), 1), tf.float64)
    return float_bits.join(total * (0.7 / count), top + 1 - scale)


def _scaled(magnitude: tf.Tensor, exponent: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """magnitude 2^exponent, which is below 2^63; exact where it is 1 or more."""
    if dtype != tf.float64:  # far from the ends of float64
        return magnitude * float_bits.power_of_two(tf.minimum(exponent, 1000))
    significand, own = float_bits.split(magnitude)
    return significand * float_bits.power_of_two(tf.maximum(exponent + own, -2))


def _clamped_ratio(x: tf.Tensor, level: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """clamp(x, -level, level) / level in float64, by one division, of the significands.

    Ratios below 2^-200 may be inexact: the caller adds the ratio to 1.
    """
    significand, exponent = float_bits.split(x)
    divisor, level_exponent = float_bits.split(level)
    ratio = significand / float_bits.opaque(divisor, significand)
    distance = tf.maximum(tf.minimum(exponent - level_exponent, 1), -200)
    ratio *= float_bits.power_of_two(distance)
    clamped = float_bits.magnitude_bits(x) >= float_bits.magnitude_bits(level)
    ratio = tf.where(clamped, tf.ones_like(ratio), ratio)
    return tf.where(negative, -ratio, ratio)


def _checked_level(level: tf.Tensor) -> tf.Tensor:
    """`level`, with a check at run time that it is positive and finite."""
    classes = float_bits.classify(level)
    valid = tf.logical_not(classes.negative | classes.zero | classes.infinite | classes.nan)
    return _checked(level, valid, "level must be positive and finite")


def _checked_threshold(threshold: tf.Tensor) -> tf.Tensor:
    """`threshold`, with a check at run time that it is finite and not negative."""
    classes = float_bits.classify(threshold)
    below = tf.logical_and(classes.negative, tf.logical_not(classes.zero))
    valid = tf.logical_not(below | classes.infinite | classes.nan)
    return _checked(threshold, valid, "threshold must be finite and not negative")


def _checked(value: tf.Tensor, valid: tf.Tensor, message: str) -> tf.Tensor:
    check = tf.debugging.assert_equal(valid, True, message, summarize=8)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(value)
