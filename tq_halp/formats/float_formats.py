"""Floating-point formats: `Minifloat`, and `PowerOfTwo`, which has no mantissa."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from quant_ops.format_facts import RANGES, SPECIALS
from tq_halp.errors import InputError
from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import (
    check_boolean,
    check_choice,
    check_integer,
    check_parameter,
)


@dataclasses.dataclass(frozen=True)
class Minifloat(Format):
    """Floating point with a sign bit, e exponent bits and m mantissa bits.

        normal numbers   +-(1 + k 2^-m) 2^E,   0 <= k < 2^m,   1 - bias <= E <= max_exponent
        subnormals       +-k 2^(1 - bias - m), 1 <= k < 2^m    absent without `subnormals`
        zeros            +0 and -0

    `specials` says which codes are not numbers:

        "ieee"   all-ones exponent: infinity and NaN, as in IEEE 754
        "nan"    all ones: NaN; no infinity ("fn" in the names of formats)
        "fnuz"   the code of -0 is NaN; no -0, no infinity
        "none"   every code is a finite number

    Raises:
        InputError: an argument is of the wrong type or out of range; no normal number would be
            left; or float32 does not hold all normal numbers.

    References:
        IEEE 754-2019, section 3.4. OCP 8-bit Floating Point Specification (OFP8) 1.0. OCP
        Microscaling Formats (MX) Specification 1.0, section 5.3.
    """

    exponent_bits: int  # 1..8
    mantissa_bits: int  # 0..23, without the implicit leading bit
    subnormals: bool = True
    specials: str = "ieee"
    exponent_bias: int | None = None  # None: 2^(e-1) - 1, one more for "fnuz"

    name: ClassVar[str] = "minifloat"
    example: ClassVar[str] = "{format: minifloat, exponent_bits: 5, mantissa_bits: 2}"
    named: ClassVar[Mapping[str, "Minifloat"]] = {}
    open_fields: ClassVar[tuple[str, ...]] = ("subnormals",)

    def __post_init__(self) -> None:
        check_parameter(self.name, "exponent_bits", self.exponent_bits)
        check_parameter(self.name, "mantissa_bits", self.mantissa_bits)
        check_boolean("subnormals", self.subnormals)
        check_choice("specials", self.specials, SPECIALS)
        if self.exponent_bias is not None:
            check_parameter(self.name, "exponent_bias", self.exponent_bias)
        self._check_range()
        if self.exponent_bias == self._usual_bias:
            object.__setattr__(self, "exponent_bias", None)  # equal formats compare equal

    @property
    def bias(self) -> int:
        """The exponent bias: E = code - bias for a normal number."""
        return self._usual_bias if self.exponent_bias is None else self.exponent_bias

    @property
    def min_exponent(self) -> int:
        """E of the smallest normal number."""
        return 1 - self.bias

    @property
    def max_exponent(self) -> int:
        """E of the largest number."""
        all_ones_are_special = self.specials == "ieee" or (
            self.specials == "nan" and self.mantissa_bits == 0
        )
        return 2**self.exponent_bits - 1 - all_ones_are_special - self.bias

    @property
    def eps(self) -> float:
        """Distance from 1 to the next larger number, 2^-m."""
        return 2.0**-self.mantissa_bits

    @property
    def min(self) -> float:
        """The most negative finite number, -max."""
        return -self.max

    @property
    def max(self) -> float:
        """Largest finite number: all mantissa bits set, or one code less where that is NaN."""
        missing = 2 if self.specials == "nan" and self.mantissa_bits > 0 else 1
        return (2 - missing * self.eps) * 2.0**self.max_exponent

    @property
    def smallest(self) -> float:
        """Smallest positive number."""
        return self.smallest_normal * (self.eps if self.subnormals else 1)

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal number, 2^min_exponent."""
        return 2.0**self.min_exponent

    @property
    def _usual_bias(self) -> int:
        return 2 ** (self.exponent_bits - 1) - (self.specials != "fnuz")

    def _check_range(self) -> None:
        low, high = self.min_exponent, self.max_exponent
        if high < low:
            raise InputError(
                f"exponent_bits must be at least 2 with specials {self.specials!r} and "
                f"mantissa_bits {self.mantissa_bits}. Received: {self.exponent_bits}: no normal "
                "number would be left"
            )
        if low < -126 or high > 127:
            raise InputError(
                "exponents of normal numbers must lie within -126..127, those of float32. "
                f"Received: exponent_bits {self.exponent_bits}, specials {self.specials!r}, "
                f"exponent_bias {self.exponent_bias}: they would be {low}..{high}"
            )


Minifloat.named = {
    "float32": Minifloat(8, 23),
    "tensorfloat32": Minifloat(8, 10),
    "float16": Minifloat(5, 10),
    "bfloat16": Minifloat(8, 7),
    "float8_e5m2": Minifloat(5, 2),
    "float8_e5m2fnuz": Minifloat(5, 2, specials="fnuz"),
    "float8_e4m3": Minifloat(4, 3),
    "float8_e4m3fn": Minifloat(4, 3, specials="nan"),
    "float8_e4m3fnuz": Minifloat(4, 3, specials="fnuz"),
    "float8_e4m3b11fnuz": Minifloat(4, 3, specials="fnuz", exponent_bias=11),
    "float8_e3m4": Minifloat(3, 4),
    "float6_e3m2fn": Minifloat(3, 2, specials="none"),
    "float6_e2m3fn": Minifloat(2, 3, specials="none"),
    "float4_e2m1fn": Minifloat(2, 1, specials="none"),
}


@dataclasses.dataclass(frozen=True)
class PowerOfTwo(Format):
    """The numbers 0 and +-2^e, min_exponent <= e <= max_exponent. Products become shifts.

    Raises:
        InputError: an argument is of the wrong type or out of range.
    """

    min_exponent: int  # -512..512
    max_exponent: int  # min_exponent..512

    name: ClassVar[str] = "power_of_two"
    example: ClassVar[str] = "{format: power_of_two, min_exponent: -7, max_exponent: 0}"

    def __post_init__(self) -> None:
        check_parameter(self.name, "min_exponent", self.min_exponent)
        highest = RANGES[self.name]["max_exponent"][1]
        check_integer("max_exponent", self.max_exponent, self.min_exponent, highest)

    @property
    def min(self) -> float:
        """The most negative number, -2^max_exponent."""
        return -self.max

    @property
    def max(self) -> float:
        """Largest number, 2^max_exponent."""
        return 2.0**self.max_exponent

    @property
    def smallest(self) -> float:
        """Smallest positive number, 2^min_exponent."""
        return 2.0**self.min_exponent
