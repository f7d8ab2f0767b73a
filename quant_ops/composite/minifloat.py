"""`minifloat` in TensorFlow ops, and rounding to any floating-point grid, which `mx` uses too."""

import functools
from fractions import Fraction

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.float_bits import CARRIERS
from quant_ops.composite.rounding import round_steps
from quant_ops.minifloat_grid import FloatGrid

TINY = -200  # exponent of a number of steps; smaller ones are raised to it, and round the same


def minifloat(
    x: tf.Tensor,
    seed: tf.Tensor,
    counter: tf.Tensor,
    *,
    mantissa_bits: int,
    min_exponent: int,
    max_significand: int,
    max_exponent: int,
    subnormals: bool,
    odd_bias: bool,
    signed_zero: bool,
    rounding: str,
    overflow: str,
) -> tf.Tensor:
    """The arithmetic of `quant_ops.minifloat`; the arguments are those of `FloatGrid` and valid.

    overflow: "saturate", "infinity" or "nan".
    """
    grid = FloatGrid(mantissa_bits, min_exponent, max_significand, max_exponent, subnormals)
    limit = _largest_held(grid, x.dtype)
    classes = float_bits.classify(x)
    significand, exponent = float_bits.split(x)
    magnitude = round_to_float(
        significand, exponent, classes.negative,
        mantissa_bits=mantissa_bits, min_exponent=min_exponent, subnormals=subnormals,
        odd_bias=odd_bias, rounding=rounding, seed=seed, counter=counter,
    )  # fmt: skip
    within = tf.minimum(magnitude, limit)
    minus = classes.negative
    if not signed_zero:
        minus = tf.logical_and(minus, within > 0.0)
    result = float_bits.with_sign(float_bits.from_float64(within, x.dtype), minus)
    if overflow != "saturate":
        beyond = tf.logical_and(magnitude > limit, _points_outwards(rounding, classes.negative))
        beyond = tf.logical_or(beyond, classes.infinite)
        result = float_bits.select(beyond, _beyond(overflow, classes, x.dtype), result)
    return float_bits.select(classes.nan, x, result)


def round_to_float(
    significand: tf.Tensor,
    exponent: tf.Tensor,
    negative: tf.Tensor,
    *,
    mantissa_bits: int,
    min_exponent: int | tf.Tensor,
    rounding: str,
    seed: tf.Tensor | None = None,
    counter: tf.Tensor | None = None,
    subnormals: bool = True,
    odd_bias: bool = True,
) -> tf.Tensor:
    """|x| rounded to a floating-point grid without a largest number; float64, exact.

    Args:
        significand, exponent: of x, as `float_bits.split` gives them.
        negative: x's sign, which the directed roundings need.
    """
    unit = tf.maximum(exponent, min_exponent) - mantissa_bits
    if not subnormals:  # one step from 0 to the smallest number
        unit = tf.where(exponent < min_exponent, tf.constant(min_exponent, tf.int64), unit)
    steps = significand * float_bits.power_of_two(tf.maximum(exponent - unit, TINY))
    rounded = tf.abs(round_steps(tf.where(negative, -steps, steps), rounding, seed, counter))
    if mantissa_bits == 0 and rounding == "nearest_even":
        even = tf.equal(tf.bitwise.bitwise_and(exponent, 1), int(odd_bias))
        stays = tf.logical_and(even, tf.equal(steps, 1.5))
        rounded = tf.where(stays, tf.ones_like(rounded), rounded)
    return rounded * float_bits.power_of_two(unit)


@functools.cache
def _largest_held(grid: FloatGrid, dtype: tf.DType) -> float:
    """The largest number of the grid that `dtype` holds; 0 if it holds no number of the grid."""
    carrier = CARRIERS[dtype]
    largest = min(grid.max, Fraction(carrier.max))
    exponent = largest.numerator.bit_length() - largest.denominator.bit_length()
    exponent -= largest < Fraction(2) ** exponent
    unit = max(
        max(exponent, grid.min_exponent) - grid.mantissa_bits,
        max(exponent, carrier.min_exponent) - (carrier.precision - 1),
    )
    held = largest // Fraction(2) ** unit * Fraction(2) ** unit
    return float(held if grid.subnormals or exponent >= grid.min_exponent else 0)


def _points_outwards(rounding: str, negative: tf.Tensor) -> tf.Tensor:
    """Whether an overflow under `rounding` leads to infinity (IEEE 754-2019, section 7.4)."""
    if rounding == "down":
        return negative
    if rounding == "up":
        return tf.logical_not(negative)
    return tf.zeros_like(negative) if rounding == "toward_zero" else tf.ones_like(negative)


def _beyond(overflow: str, classes: float_bits.Classes, dtype: tf.DType) -> tf.Tensor:
    """The result of an overflow: an infinity with x's sign, or the canonical NaN."""
    if overflow == "nan":
        return float_bits.nan(dtype)
    carrier = CARRIERS[dtype]
    infinity = tf.bitcast(tf.constant(carrier.infinity_bits, carrier.bits_dtype), dtype)
    return float_bits.with_sign(infinity, classes.negative)
