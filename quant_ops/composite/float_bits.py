"""Bit patterns of float16, bfloat16, float32 and float64 ("carriers"), in TensorFlow ops.

TensorFlow's threads run with flush-to-zero and denormals-are-zero set: even `x * 1.0` or a cast to
float64 turns a float32 subnormal into 0. So this module reads from the bits whether a value is
zero, NaN, negative or subnormal, and assembles subnormal results from bits; the floating-point
arithmetic in between sees normal numbers only. `cc/core/float_types.h` has the same facts for the
native backend.
"""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Carrier:
    """A binary floating-point dtype: sign, exponent and `precision - 1` stored mantissa bits."""

    dtype: tf.DType
    bits_dtype: tf.DType  # signed integer of the same width
    precision: int  # significant bits, the implicit one included
    max_exponent: int  # the largest finite value is just below 2^(max_exponent + 1)

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number."""
        return 1 - self.max_exponent

    @property
    def subnormal_exponent(self) -> int:
        """The smallest positive number is 2^subnormal_exponent."""
        return self.min_exponent - (self.precision - 1)

    @property
    def max(self) -> int:
        """The largest finite value, as an exact integer."""
        return ((1 << self.precision) - 1) << (self.max_exponent - self.precision + 1)

    @property
    def infinity_bits(self) -> int:
        """The pattern of +inf; a larger pattern, the sign bit left out, is a NaN."""
        return (2 * self.max_exponent + 1) << (self.precision - 1)

    @property
    def nan_bits(self) -> int:
        """The canonical quiet NaN."""
        return self.infinity_bits | (1 << (self.precision - 2))


CARRIERS = {
    carrier.dtype: carrier
    for carrier in (
        Carrier(tf.float16, tf.int16, precision=11, max_exponent=15),
        Carrier(tf.bfloat16, tf.int16, precision=8, max_exponent=127),
        Carrier(tf.float32, tf.int32, precision=24, max_exponent=127),
        Carrier(tf.float64, tf.int64, precision=53, max_exponent=1023),
    )
}


@dataclasses.dataclass(frozen=True)
class Classes:
    """Boolean tensors, read from the bits: negative (also -0), zero, infinite or NaN."""

    negative: tf.Tensor
    zero: tf.Tensor
    infinite: tf.Tensor
    nan: tf.Tensor


def classify(x: tf.Tensor) -> Classes:
    """The classes of x's elements, of any carrier dtype, as their bits tell them."""
    carrier = CARRIERS[x.dtype]
    bits = tf.bitcast(x, carrier.bits_dtype)
    # Without the sign bit; not by `bitwise_and`, which TFLite does not have.
    magnitude = tf.where(bits < 0, bits - _constant(carrier.bits_dtype.min, carrier), bits)
    infinity = _constant(carrier.infinity_bits, carrier)
    return Classes(
        bits < 0, tf.equal(magnitude, 0), tf.equal(magnitude, infinity), magnitude > infinity
    )


def nan(dtype: tf.DType) -> tf.Tensor:
    """The canonical quiet NaN of `dtype`."""
    carrier = CARRIERS[dtype]
    return tf.bitcast(_constant(carrier.nan_bits, carrier), dtype)


def select(condition: tf.Tensor, chosen: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """`tf.where` that keeps the bits of a NaN: for bfloat16, XLA's own goes through float32."""
    bits_dtype = CARRIERS[chosen.dtype].bits_dtype
    bits = tf.where(condition, tf.bitcast(chosen, bits_dtype), tf.bitcast(other, bits_dtype))
    return tf.bitcast(bits, chosen.dtype)


def with_sign(magnitude: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """`magnitude` (not negative) with a minus sign where `negative`; a zero becomes -0 there."""
    carrier = CARRIERS[magnitude.dtype]
    bits = tf.bitcast(magnitude, carrier.bits_dtype)
    sign = tf.where(negative, _constant(carrier.bits_dtype.min, carrier), tf.zeros_like(bits))
    return tf.bitcast(tf.bitwise.bitwise_or(bits, sign), magnitude.dtype)


def power_of_two(exponent: tf.Tensor) -> tf.Tensor:
    """2^exponent in float64, for an int64 exponent in [-1022, 1023]."""
    return tf.bitcast(tf.bitwise.left_shift(exponent + 1023, 52), tf.float64)


def magnitude_bits(x: tf.Tensor) -> tf.Tensor:
    """The bits of |x| as float64, in int64: exact, ordered as the numbers are, NaN the largest."""
    exact = x if x.dtype == tf.float64 else to_float64(x)
    return tf.bitwise.bitwise_and(tf.bitcast(exact, tf.int64), tf.int64.max)


def split(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The significand (float64 in [1, 2)) and exponent (int64) of |x| = significand 2^exponent.

    That holds for subnormals too. A zero has significand 0 and an exponent below that of every
    number; infinity and NaN have an exponent above that of every number.
    """
    bits = magnitude_bits(x)
    zero, none = tf.equal(bits, 0), tf.zeros_like(bits)
    subnormal = bits < 1 << 52  # float64's own: an integer times 2^-1074
    integer = tf.cast(tf.where(subnormal, bits, none), tf.float64)
    bits = tf.where(subnormal, tf.bitcast(integer, tf.int64), bits)
    exponent = tf.bitwise.right_shift(bits, 52) - 1023
    exponent = tf.where(subnormal, exponent - 1074, exponent)
    significand = tf.bitwise.bitwise_or(tf.bitwise.bitwise_and(bits, (1 << 52) - 1), 1023 << 52)
    return tf.bitcast(tf.where(zero, none, significand), tf.float64), exponent


def join(magnitude: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """magnitude 2^exponent for float64 magnitude >= 0: the IEEE product, subnormal or not."""
    significand, own = split(magnitude)
    exponent += own
    normal = tf.bitcast(significand, tf.int64) + tf.bitwise.left_shift(exponent, 52)
    units = tf.clip_by_value(exponent + 1074, *(tf.constant(e, tf.int64) for e in (-1000, 60)))
    subnormal = tf.cast(tf.round(significand * power_of_two(units)), tf.int64)
    return tf.bitcast(tf.where(exponent < -1022, subnormal, normal), tf.float64)


def to_float64(x: tf.Tensor) -> tf.Tensor:
    """The exact value of `x` in float64, subnormals of the narrower dtypes included.

    A float64 subnormal becomes 0, and a NaN may become another NaN: callers select on
    `classify(x)`.
    """
    if x.dtype == tf.float64:
        return tf.where(tf.abs(x) < 2.0**-1022, tf.zeros_like(x), x)
    if x.dtype == tf.float16:  # its subnormals are normal in float32
        return tf.cast(tf.cast(x, tf.float32), tf.float64)
    bits = tf.bitcast(x, CARRIERS[x.dtype].bits_dtype)
    if x.dtype == tf.bfloat16:
        bits = tf.bitwise.left_shift(tf.cast(bits, tf.int32), 16)
    magnitude = tf.bitwise.bitwise_and(bits, tf.int32.max)
    subnormal = tf.cast(magnitude, tf.float64) * 2.0**-149
    subnormal = tf.where(bits < 0, -subnormal, subnormal)
    return tf.where(
        magnitude < 1 << 23, subnormal, tf.cast(tf.bitcast(bits, tf.float32), tf.float64)
    )


def round_to_carrier(value: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """float64 `value` rounded once, to nearest even, to a number that `dtype` holds; still float64.

    The exponent has no upper bound here: the caller handles overflow. In the normal range integer
    arithmetic rounds away the low 53 - p bits of the mantissa, p = the dtype's precision; a carry
    runs into the exponent, as it should. Below the normal range the spacing is constant, so `value`
    is scaled and rounded to an integer.
    """
    if dtype == tf.float64:
        return value
    carrier = CARRIERS[dtype]
    drop = 53 - carrier.precision
    bits = tf.bitcast(value, tf.int64)
    odd = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, drop), 1)
    bits = tf.bitwise.bitwise_and(bits + ((1 << (drop - 1)) - 1) + odd, -(1 << drop))
    spacing = 2.0**carrier.subnormal_exponent
    return tf.where(
        tf.abs(value) < 2.0**carrier.min_exponent,
        tf.round(value * (1.0 / spacing)) * spacing,
        tf.bitcast(bits, tf.float64),
    )


def from_float64(value: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """float64 `value` in `dtype`, exactly; it must be finite and representable there."""
    if dtype == tf.float64:
        return value
    narrow = tf.cast(tf.cast(value, tf.float32), dtype)
    if dtype == tf.float16:  # every float16, subnormal or not, is a normal float32
        return narrow
    carrier = CARRIERS[dtype]
    scaled = tf.abs(value) * 2.0**-carrier.subnormal_exponent
    subnormal = tf.abs(value) < 2.0**carrier.min_exponent
    bits = tf.cast(tf.where(subnormal, scaled, 0.0), carrier.bits_dtype)
    bits = tf.where(value < 0, bits | _constant(carrier.bits_dtype.min, carrier), bits)
    return tf.where(subnormal, tf.bitcast(bits, dtype), narrow)


def convert(x: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """x in another carrier dtype, rounded once to nearest even; `tf.cast` loses subnormals."""
    if x.dtype == dtype:
        return x
    return from_float64(round_to_carrier(to_float64(x), dtype), dtype)


def opaque(divisor: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """`divisor`, with value's shape (both float64), in a form that no compiler takes for constant.

    Grappler and XLA replace division by a constant with a product, which rounds differently. This
    ors a zero into the bits of every element. The zero is computed from `value`, so that a compiler
    would have to track single bits to see that it is constant.
    """
    lowest = tf.bitwise.bitwise_and(tf.bitcast(value, tf.int64), 1)
    zero = tf.bitwise.right_shift(lowest, tf.ones_like(lowest))
    return tf.bitcast(tf.bitwise.bitwise_or(tf.bitcast(divisor, tf.int64), zero), tf.float64)


def _constant(bits: int, carrier: Carrier) -> tf.Tensor:
    return tf.constant(bits, carrier.bits_dtype)
