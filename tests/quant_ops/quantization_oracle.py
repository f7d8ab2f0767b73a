"""An independent oracle: exact rational arithmetic, one element at a time, no TensorFlow.

It restates the definitions of `quant_ops.fixed_point` and `scaled_integer` from their documentation
and shares no code with either backend.
"""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

MASK64 = (1 << 64) - 1


@dataclass(frozen=True)
class Dtype:
    """A floating-point carrier: significant bits and exponent range."""

    name: str
    precision: int
    max_exponent: int

    @functools.cached_property
    def max(self) -> Fraction:
        return (2 - Fraction(2) ** (1 - self.precision)) * Fraction(2) ** self.max_exponent

    @functools.cached_property
    def tiny(self) -> Fraction:
        """The smallest subnormal."""
        return Fraction(2) ** (2 - self.max_exponent - self.precision)

    def round(self, value: Fraction) -> Fraction:
        """To nearest even, saturating."""
        if value == 0:
            return value
        exponent = max(floor_log2(abs(value)) - self.precision + 1, floor_log2(self.tiny))
        unit = Fraction(2) ** exponent
        return max(-self.max, min(self.max, round(value / unit) * unit))

    def holds(self, value: Fraction) -> bool:
        return self.round(value) == value

    def truncate(self, value: Fraction) -> Fraction:
        """Towards zero."""
        if value == 0:
            return value
        exponent = max(floor_log2(abs(value)) - self.precision + 1, floor_log2(self.tiny))
        unit = Fraction(2) ** exponent
        return max(-self.max, min(self.max, math.trunc(value / unit) * unit))


DTYPES = {
    dtype.name: dtype
    for dtype in (
        Dtype("float16", 11, 15),
        Dtype("bfloat16", 8, 127),
        Dtype("float32", 24, 127),
        Dtype("float64", 53, 1023),
    )
}


def fixed_point(
    x: float, dtype: str, word_bits: int, frac_bits: int, signed, rounding, overflow, bits31=0
) -> float:
    """The result for the dtype's value `x`, as a Python float."""
    carrier = DTYPES[dtype]
    low, high = _integer_limits(word_bits, signed)
    if math.isnan(x) or (math.isinf(x) and overflow == "wrap"):
        return math.nan
    delta = Fraction(2) ** -frac_bits
    if math.isinf(x):
        steps = high if x > 0 else low
    else:
        steps = round_steps(Fraction(x) / delta, rounding, bits31)
        steps = _wrap(steps, low, word_bits) if overflow == "wrap" else min(max(steps, low), high)
    inner_low = representable_limit(low, delta, carrier)
    inner_high = representable_limit(high, delta, carrier)
    value = min(max(steps * delta, inner_low), inner_high)
    if overflow == "wrap" and not signed:
        value = carrier.truncate(value)
    return float(value)


def scaled_integer(
    x: float, scale: float, dtype: str, word_bits: int, rounding, overflow, bits31=0, *, exact
) -> float:
    """The result for the dtype's value `x` and a scale of 0 or 1e-100 .. 1e100; word_bits <= 53.

    exact: the quotient is not rounded to float64 (neither operand is float64, word_bits <= 20,
    overflow "saturate").
    """
    carrier = DTYPES[dtype]
    low, high = _integer_limits(word_bits, True)
    if math.isnan(x):
        return math.nan
    if scale == 0:
        return 0.0
    if math.isinf(x):
        if overflow == "wrap":
            return math.nan
        steps = high if x > 0 else low
    else:
        ratio = Fraction(x) / Fraction(scale)
        if not exact:
            ratio = Fraction(min(max(x / scale, -(2.0**200)), 2.0**200))
        if x != 0 and abs(ratio) < Fraction(2) ** -200:
            ratio = Fraction(2) ** -200 * (1 if x > 0 else -1)
        steps = round_steps(ratio, rounding, bits31)
        # From here on a product does not round to the largest number: Dtype.round saturates.
        too_large = Fraction(2) ** carrier.max_exponent * (2 - Fraction(2) ** -carrier.precision)
        for neighbour in (math.ceil(ratio), math.floor(ratio)):
            product = Fraction(neighbour * scale)
            if neighbour and carrier.round(product) == x and abs(product) < too_large:
                steps = neighbour
        steps = _wrap(steps, low, word_bits) if overflow == "wrap" else min(max(steps, low), high)
    reach = float(carrier.max) / scale
    if reach < 2**53:
        steps = min(max(steps, -math.floor(reach)), math.floor(reach))
    return float(carrier.round(Fraction(float(steps) * scale)))


def round_steps(y: Fraction, rounding: str, bits31: int) -> int:
    """The seven roundings by their definitions."""
    down, half = math.floor(y), Fraction(1, 2)
    away = 1 if y > 0 else -1
    whole = math.trunc(y)
    fraction = abs(y - whole)
    if rounding == "nearest_even":
        return round(y)
    if rounding == "nearest_up":
        return math.floor(y + half)
    if rounding == "nearest_away":
        return whole + (away if fraction >= half else 0)
    if rounding == "stochastic":
        return whole + (away if bits31 < math.floor(fraction * 2**31) else 0)
    return {"down": down, "up": math.ceil(y), "toward_zero": whole}[rounding]


def random_bits(seed: int, counter: int, index: int) -> int:
    """The 32 random bits of one element, from the definition, with Python's integers."""
    state = mix64((seed + 0x9E3779B97F4A7C15) & MASK64)
    state = mix64(state ^ mix64((counter + 0xD1B54A32D192ED03) & MASK64))
    state = mix64(state ^ (index >> 32))
    key0, key1 = state & 0xFFFFFFFF, state >> 32
    h = (index & 0xFFFFFFFF) ^ key0
    h = (h ^ h >> 17) * 0xED5AD4BB & 0xFFFFFFFF
    h = ((h ^ h >> 11) + key1 & 0xFFFFFFFF) * 0xAC4C1B51 & 0xFFFFFFFF
    h = (h ^ h >> 15) * 0x31848BAB & 0xFFFFFFFF
    return h ^ h >> 14


def mix64(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
    return z ^ z >> 31


def _integer_limits(word_bits: int, signed: bool) -> tuple[int, int]:
    if signed:
        return -(1 << word_bits - 1), (1 << word_bits - 1) - 1
    return 0, (1 << word_bits) - 1


def _wrap(steps: int, low: int, word_bits: int) -> int:
    return (steps - low) % (1 << word_bits) + low


@functools.cache
def representable_limit(limit: int, delta: Fraction, carrier: Dtype) -> Fraction:
    """limit * delta, or the nearest multiple of delta inside it that the carrier holds."""
    value = carrier.truncate(limit * delta)
    inside = math.trunc(value / delta) * delta
    assert carrier.holds(inside) or inside == 0
    return inside


def floor_log2(value: Fraction) -> int:
    above, below = value.numerator, value.denominator
    exponent = above.bit_length() - below.bit_length()
    return exponent - (above << max(-exponent, 0) < below << max(exponent, 0))
