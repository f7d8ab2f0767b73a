"""Floating-point grids as plain numbers (no TensorFlow): precision, exponents, largest number."""

import dataclasses
from fractions import Fraction


@dataclasses.dataclass(frozen=True)
class FloatGrid:
    """The numbers +-s * 2^(e - mantissa_bits), up to the largest, and zero.

    Normal numbers have 2^mantissa_bits <= s < 2^(mantissa_bits + 1) and e >= min_exponent;
    subnormal ones e = min_exponent and a smaller s.
    """

    mantissa_bits: int
    min_exponent: int  # of the smallest normal number
    max_significand: int  # s of the largest number
    max_exponent: int  # e of the largest number
    subnormals: bool = True
    odd_bias: bool = True  # with mantissa_bits = 0 a tie goes to the even e + bias
    signed_zero: bool = True
    beyond: str = "infinity"  # what overflow="infinity" gives: "infinity", "nan", or "" for neither

    @property
    def max(self) -> Fraction:
        """The largest number."""
        return self.max_significand * Fraction(2) ** (self.max_exponent - self.mantissa_bits)

    def attributes(self, overflow: str) -> dict[str, int | bool | str]:
        """The grid as attributes of the op `minifloat`; `overflow` is "saturate" or "infinity"."""
        facts = dict(vars(self))
        beyond = facts.pop("beyond")
        return {**facts, "overflow": beyond if overflow == "infinity" else overflow}


def minifloat_grid(
    exponent_bits: int,
    mantissa_bits: int,
    specials: str = "ieee",
    exponent_bias: int | None = None,
    subnormals: bool = True,
) -> FloatGrid:
    """The grid of a minifloat; the arguments are those of `quant_ops.minifloat`.

        bias         = 2^(exponent_bits - 1) - 1, one more for "fnuz", unless exponent_bias is given
        min_exponent = 1 - bias
        max_exponent = 2^exponent_bits - 1 - bias, one less for "ieee"
        largest      = (2 - 2^-mantissa_bits) 2^max_exponent; the number before it for "nan"

    Raises:
        ValueError: there is no normal number, or one that float32 cannot hold.
    """
    bias = exponent_bias
    if bias is None:
        bias = (1 << exponent_bits - 1) - (specials != "fnuz")
    emax = (1 << exponent_bits) - 1 - bias - (specials == "ieee")
    significand = (2 << mantissa_bits) - 1
    if specials == "nan" and mantissa_bits == 0:
        emax -= 1
    elif specials == "nan":
        significand -= 1
    if emax < 1 - bias:
        raise ValueError(
            f"exponent_bits must be at least 2 with specials {specials!r} and mantissa_bits "
            f"{mantissa_bits}. Received: {exponent_bits}: no normal number would be left"
        )
    if 1 - bias < -126 or emax > 127:
        raise ValueError(
            "exponent_bias must leave the exponents of normal numbers within -126..127. Received: "
            f"{exponent_bias} with exponent_bits {exponent_bits} and specials {specials!r}: they "
            f"would be {1 - bias}..{emax}"
        )
    beyond = {"ieee": "infinity", "nan": "nan", "fnuz": "nan", "none": ""}[specials]
    signed_zero = specials != "fnuz"
    return FloatGrid(
        mantissa_bits, 1 - bias, significand, emax, subnormals, bias % 2 == 1, signed_zero, beyond
    )


def power_of_two_grid(min_exponent: int, max_exponent: int) -> FloatGrid:
    """0 and +-2^e for min_exponent <= e <= max_exponent."""
    return FloatGrid(
        0, min_exponent, 1, max_exponent, subnormals=False, odd_bias=False, signed_zero=False
    )
