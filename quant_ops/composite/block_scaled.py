"""`block_float` and `mx` in TensorFlow ops: the elements of a block share a power-of-two scale."""

import math
from typing import Any

import tensorflow as tf

from quant_ops.composite import float_bits
from quant_ops.composite.float_bits import CARRIERS
from quant_ops.composite.minifloat import round_to_float

SCALE_EXPONENTS = (-127, 127)  # of OCP's scale format E8M0
FAR = 200  # relative to the shared exponent: further up everything saturates


def block_scaled(
    x: tf.Tensor,
    seed: tf.Tensor,
    counter: tf.Tensor,
    *,
    axis: int,
    block_size: int,
    rounding: str,
    scale_rounding: str,
    limited_scale: bool,
    element: str,
    word_bits: int,
    mantissa_bits: int,
    min_exponent: int,
    max_significand: int,
    max_exponent: int,
) -> tf.Tensor:
    """The arithmetic of `quant_ops.block_float` and `mx`; the arguments are valid and converted.

    Args:
        element: "integer": the elements are multiples of 2^-(w-2) in (-2, 2), w = word_bits, and
            the four facts of a float are 0. "float": they are a minifloat with subnormals, and
            word_bits is 0.
        limited_scale: whether the shared exponent is clamped to the range of E8M0, [-127, 127].

    Raises:
        tf.errors.InvalidArgumentError: axis or block_size does not fit x, found at run time.
    """
    if element == "integer":
        # Up to 2 the float whose smallest normal exponent is 1 has this one step.
        bits, largest = word_bits - 2, 2.0 - 2.0 ** (2 - word_bits)
        grid: dict[str, Any] = {"mantissa_bits": word_bits - 1, "min_exponent": 1}
    else:
        bits, largest = mantissa_bits, math.ldexp(max_significand, max_exponent - mantissa_bits)
        grid = {"mantissa_bits": mantissa_bits, "min_exponent": min_exponent}
    blocks = _in_blocks(x, axis, block_size)
    classes = float_bits.classify(blocks)
    above = _above(scale_rounding, math.ldexp(largest, -max_exponent), bits)
    shared = _shared_exponent(blocks, classes, above) - max_exponent
    if limited_scale:
        shared = _clip(shared, *SCALE_EXPONENTS)
    significand, exponent = float_bits.split(blocks)
    magnitude = round_to_float(
        significand, tf.minimum(exponent - shared, FAR), classes.negative, **grid,
        rounding=rounding, seed=seed, counter=counter,
    )  # fmt: skip
    magnitude = tf.minimum(magnitude, _held(largest, shared, blocks.dtype, grid))
    minus = classes.negative
    if element == "integer":
        minus = tf.logical_and(minus, magnitude > 0.0)
    result = float_bits.from_float64(float_bits.join(magnitude, shared), x.dtype)
    result = float_bits.select(classes.nan, blocks, float_bits.with_sign(result, minus))
    result = tf.reshape(result, tf.shape(x))
    result.set_shape(x.shape)
    return result


def _in_blocks(x: tf.Tensor, axis: int, block_size: int) -> tf.Tensor:
    """`x` as [outer, block_size, inner]; the elements keep their order."""
    shape = tf.shape(x, tf.int64)
    if x.shape.rank is None:
        exists = tf.debugging.assert_greater(
            tf.rank(x), max(axis, -1 - axis), f"axis must be an axis of x. Received: {axis}"
        )
        with tf.control_dependencies([exists]):
            shape = tf.identity(shape)
    length = shape[axis]
    if x.shape.rank is None or x.shape[axis] is None:
        divides = tf.debugging.assert_equal(
            length % block_size,
            tf.zeros([], tf.int64),
            f"block_size must divide the length of axis {axis} of x. Received: {block_size}",
        )
        with tf.control_dependencies([divides]):
            length = tf.identity(length)
    outer = tf.reduce_prod(shape[:axis]) * (length // block_size)
    return tf.reshape(x, [outer, block_size, tf.reduce_prod(shape[axis:][1:])])


def _shared_exponent(blocks: tf.Tensor, classes: float_bits.Classes, above: float) -> tf.Tensor:
    """int64 [outer, 1, inner]: the exponent of each block's largest finite magnitude.

    It is one higher where that magnitude's significand is `above` or more. Infinities count only
    where no finite element is nonzero, and then as the dtype's largest number: they must not become
    zero.
    """
    bits = float_bits.magnitude_bits(blocks)
    bits = tf.where(tf.logical_or(classes.infinite, classes.nan), tf.zeros_like(bits), bits)
    largest = tf.reduce_max(bits, 1, keepdims=True)
    infinite = tf.reduce_any(classes.infinite, 1, keepdims=True)
    alone = tf.logical_and(infinite, tf.equal(largest, 0))
    limit = tf.constant(float(CARRIERS[blocks.dtype].max), tf.float64)
    largest = tf.where(alone, tf.bitcast(limit, tf.int64), largest)
    significand, exponent = float_bits.split(tf.bitcast(largest, tf.float64))
    return exponent + tf.cast(significand >= above, tf.int64)


def _above(scale_rounding: str, largest: float, mantissa_bits: int) -> float:
    """The significand, in [1, 2], from which the shared exponent is one higher."""
    return {
        "floor": 2.0,
        "ceil": math.nextafter(1.0, 2.0),
        "rceil": math.nextafter(largest, 2.0),
        "even": 2.0 - 2.0 ** -(mantissa_bits + 1),
    }[scale_rounding]


def _held(limit: float, shared: tf.Tensor, dtype: tf.DType, grid: dict[str, int]) -> tf.Tensor:
    """The largest element up to `limit` whose product with 2^shared `dtype` holds; 0 if none."""
    carrier = CARRIERS[dtype]
    largest = tf.constant(2.0 - 2.0 ** (1 - carrier.precision), tf.float64)
    inside = _truncate(largest, tf.minimum(carrier.max_exponent - shared, FAR), **grid)
    significand, exponent = float_bits.split(tf.minimum(inside, limit))
    lowest = _clip(carrier.min_exponent - shared, -FAR, FAR)
    return _truncate(significand, exponent, carrier.precision - 1, lowest)


def _truncate(
    significand: tf.Tensor, exponent: tf.Tensor, mantissa_bits: int, min_exponent: int | tf.Tensor
) -> tf.Tensor:
    """A positive number rounded towards zero to a floating-point grid."""
    return round_to_float(
        significand, exponent, tf.constant(False), mantissa_bits=mantissa_bits,
        min_exponent=min_exponent, rounding="toward_zero",
    )  # fmt: skip


def _clip(exponent: tf.Tensor, low: int, high: int) -> tf.Tensor:
    return tf.clip_by_value(exponent, tf.constant(low, tf.int64), tf.constant(high, tf.int64))
