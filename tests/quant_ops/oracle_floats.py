"""Minifloats in exact rational arithmetic, from the codes of the format; no TensorFlow.

It restates the definitions of `quant_ops.minifloat` and `power_of_two` from their documentation
and shares no code with either backend, nor with `quant_ops.minifloat_grid`.
"""

import dataclasses
import functools
import math
from fractions import Fraction

from quantization_oracle import Dtype, floor_log2, round_steps


@dataclasses.dataclass(frozen=True)
class Grid:
    """Zero and the magnitudes s * 2^(e - mantissa_bits) up to `largest`."""

    mantissa_bits: int
    min_exponent: int
    largest: Fraction
    subnormals: bool = True
    bias: int = 0
    signed_zero: bool = True
    beyond: float = math.inf  # what overflow="infinity" gives

    def step(self, magnitude: Fraction) -> Fraction:
        """The distance between the two neighbours of a positive number."""
        exponent = max(floor_log2(magnitude), self.min_exponent)
        if not self.subnormals and magnitude < Fraction(2) ** self.min_exponent:
            return Fraction(2) ** exponent
        return Fraction(2) ** (exponent - self.mantissa_bits)

    def inside(self, bound: Fraction) -> Fraction:
        """The largest number that is not above `bound`."""
        bound = min(bound, self.largest)
        return bound // self.step(bound) * self.step(bound) if bound else bound


@functools.cache
def largest_held(grid: Grid, carrier: Dtype) -> Fraction:
    """The largest number that the carrier holds."""
    held = grid.inside(carrier.truncate(grid.largest))
    assert carrier.holds(held)
    return held


def minifloat_grid(
    exponent_bits: int,
    mantissa_bits: int,
    specials: str = "ieee",
    exponent_bias: int | None = None,
    subnormals: bool = True,
) -> Grid:
    """The grid of the finite codes; the largest number is the largest code that is finite."""
    bias = exponent_bias
    if bias is None:
        bias = 2 ** (exponent_bits - 1) - (0 if specials == "fnuz" else 1)
    codes = 2 ** (exponent_bits + mantissa_bits)  # without the sign
    taken = {"ieee": 2**mantissa_bits, "nan": 1, "fnuz": 0, "none": 0}[specials]
    return Grid(
        mantissa_bits,
        1 - bias,
        decode(codes - taken - 1, mantissa_bits, bias),
        subnormals,
        bias,
        specials != "fnuz",
        math.inf if specials == "ieee" else math.nan,
    )


def power_of_two_grid(min_exponent: int, max_exponent: int) -> Grid:
    return Grid(0, min_exponent, Fraction(2) ** max_exponent, subnormals=False, signed_zero=False)


def decode(code: int, mantissa_bits: int, bias: int) -> Fraction:
    """The number with exponent field and mantissa field `code`; a positive sign."""
    exponent, mantissa = divmod(code, 2**mantissa_bits)
    if exponent == 0:
        return mantissa * Fraction(2) ** (1 - bias - mantissa_bits)
    return (2**mantissa_bits + mantissa) * Fraction(2) ** (exponent - bias - mantissa_bits)


def code(number: Fraction, mantissa_bits: int, bias: int) -> int:
    """The inverse of `decode`."""
    exponent = max(floor_log2(number), 1 - bias)
    significand = number / Fraction(2) ** (exponent - mantissa_bits)
    return int(significand) + (exponent + bias - 1) * 2**mantissa_bits


def quantize(
    x: float, carrier: Dtype, grid: Grid, rounding: str, overflow: str = "saturate", bits31: int = 0
) -> float:
    """The result for the carrier's value `x`, as a Python float; zeros have their sign."""
    if math.isnan(x):
        return math.nan
    sign = math.copysign(1, x)
    largest = largest_held(grid, carrier)
    if math.isinf(x):
        magnitude, inwards = math.inf, False
    else:
        magnitude = abs(round_to_grid(Fraction(x), grid, rounding, bits31))
        inwards = rounding in {"toward_zero", "down" if x > 0 else "up"}
    if magnitude > largest:
        if overflow == "infinity" and not inwards:
            return sign * grid.beyond
        magnitude = largest
    return sign * float(magnitude) if magnitude or grid.signed_zero else 0.0


def round_to_grid(x: Fraction, grid: Grid, rounding: str, bits31: int = 0) -> Fraction:
    """`x` to one of its neighbours, as if the exponents had no upper end."""
    if x == 0:
        return x
    step = grid.step(abs(x))
    steps = round_steps(x / step, rounding, bits31)
    if grid.mantissa_bits == 0 and rounding == "nearest_even" and abs(x) == 3 * step / 2:
        lower_is_even = (floor_log2(step) + grid.bias) % 2 == 0
        steps = (1 if lower_is_even else 2) * (1 if x > 0 else -1)
    return steps * step
