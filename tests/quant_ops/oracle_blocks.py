"""Block formats in exact rational arithmetic, one block at a time; no TensorFlow.

It restates the definitions of `quant_ops.block_float` and `mx` from their documentation and the OCP
Microscaling Formats (MX) Specification v1.0, and shares no code with either backend.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import oracle_floats
from quantization_oracle import Dtype, floor_log2, round_steps


@dataclasses.dataclass(frozen=True)
class IntegerElement:
    """unit * {-L .. L} with L = 2^(w-1) - 1, unit = 2^-(w-2): the largest is just below 2."""

    word_bits: int
    signed_zero = False
    emax = 0

    @property
    def mantissa_bits(self) -> int:
        return self.word_bits - 2

    @functools.cached_property
    def unit(self) -> Fraction:
        return Fraction(2) ** -(self.word_bits - 2)

    def limits(self) -> tuple[Fraction, Fraction]:
        largest = (2 ** (self.word_bits - 1) - 1) * self.unit
        return -largest, largest

    def round(self, y: Fraction, rounding: str, bits31: int) -> Fraction:
        return round_steps(y / self.unit, rounding, bits31) * self.unit

    def inside(self, bound: Fraction) -> Fraction:
        return math.floor(bound / self.unit) * self.unit


@dataclasses.dataclass(frozen=True)
class FloatElement:
    grid: oracle_floats.Grid
    signed_zero = True

    @property
    def mantissa_bits(self) -> int:
        return self.grid.mantissa_bits

    @property
    def emax(self) -> int:
        return floor_log2(self.grid.largest)

    def limits(self) -> tuple[Fraction, Fraction]:
        return -self.grid.largest, self.grid.largest

    def round(self, y: Fraction, rounding: str, bits31: int) -> Fraction:
        return oracle_floats.round_to_grid(y, self.grid, rounding, bits31)

    def inside(self, bound: Fraction) -> Fraction:
        return self.grid.inside(bound)


ELEMENTS = {
    "float8_e4m3fn": FloatElement(oracle_floats.minifloat_grid(4, 3, "nan")),
    "float8_e5m2": FloatElement(oracle_floats.minifloat_grid(5, 2, "ieee")),
    "float6_e3m2fn": FloatElement(oracle_floats.minifloat_grid(3, 2, "none")),
    "float6_e2m3fn": FloatElement(oracle_floats.minifloat_grid(2, 3, "none")),
    "float4_e2m1fn": FloatElement(oracle_floats.minifloat_grid(2, 1, "none")),
    "int8": IntegerElement(8),
}


def mx(
    block: Sequence[float], carrier: Dtype, element: str, scale_rounding="floor",
    rounding="nearest_even", bits31: Sequence[int] = (),
) -> list[float]:  # fmt: skip
    """The results for one block of the carrier's values."""
    kind, amax = ELEMENTS[element], largest(block, carrier)
    scale = shared_exponent(amax, kind, scale_rounding) if amax else -127
    return _scaled(block, carrier, kind, max(-127, min(127, scale)), rounding, bits31)


def block_float(
    block: Sequence[float], carrier: Dtype, word_bits: int, rounding="nearest_even",
    bits31: Sequence[int] = (),
) -> list[float]:  # fmt: skip
    """The results for one block of the carrier's values."""
    amax = largest(block, carrier)
    if not amax:
        return [math.nan if math.isnan(x) else 0.0 for x in block]
    element = IntegerElement(word_bits)
    return _scaled(block, carrier, element, floor_log2(amax), rounding, bits31)


def largest(block: Sequence[float], carrier: Dtype) -> Fraction:
    """The largest finite magnitude; where that is none or 0, infinities count as the dtype's."""
    finite = max((abs(Fraction(x)) for x in block if math.isfinite(x)), default=Fraction(0))
    return carrier.max if not finite and any(map(math.isinf, block)) else finite


def shared_exponent(amax: Fraction, element, scale_rounding: str) -> int:
    """log2 of the scale, before it is clamped to what E8M0 holds."""
    exponent = floor_log2(amax)
    significand = amax / Fraction(2) ** exponent
    if scale_rounding == "even":
        # amax rounded half up to the element's mantissa bits, then floor(log2)
        unit = Fraction(2) ** -element.mantissa_bits
        significand = math.floor(significand / unit + Fraction(1, 2)) * unit
        return exponent + floor_log2(significand) - element.emax
    largest = element.limits()[1] / Fraction(2) ** element.emax
    above = {"floor": False, "ceil": significand > 1, "rceil": significand > largest}
    return exponent - element.emax + above[scale_rounding]


def _scaled(block, carrier: Dtype, element, exponent: int, rounding: str, bits31) -> list[float]:
    """scale * element(x / scale) for each x, saturating at the limits that the carrier holds."""
    scale = Fraction(2) ** exponent
    below, above = element.limits()
    high = scale * element.inside(carrier.truncate(scale * above) / scale)
    low = -scale * element.inside(carrier.truncate(scale * -below) / scale)
    assert carrier.holds(high) and carrier.holds(low)

    def quantize(x: float, bits: int) -> float:
        if math.isnan(x):
            return math.nan
        if math.isinf(x):
            result = high if x > 0 else low
        else:
            result = scale * element.round(Fraction(x) / scale, rounding, bits)
            result = max(low, min(high, result))
        return math.copysign(float(result), x) if element.signed_zero else float(result)

    return [quantize(*pair) for pair in zip(block, bits31 or [0] * len(block), strict=True)]
