"""Formats with a uniform grid: `FixedPoint` and `ScaledInteger`."""

import dataclasses
from typing import ClassVar

from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import check_boolean, check_parameter


@dataclasses.dataclass(frozen=True)
class FixedPoint(Format):
    """Fixed point: the grid step * {min_code, ..., max_code} with step = 2^-frac_bits.

    Signed codes are two's complement, -2^(w-1) .. 2^(w-1)-1; unsigned ones 0 .. 2^w-1.

    Raises:
        InputError: an argument is of the wrong type or out of range.
    """

    word_bits: int  # all bits of a number, the sign included: 1..64
    frac_bits: int  # bits after the binary point, may be negative or exceed word_bits: -512..512
    signed: bool = True

    name: ClassVar[str] = "fixed_point"
    example: ClassVar[str] = "{format: fixed_point, word_bits: 8, frac_bits: 6}"

    def __post_init__(self) -> None:
        check_parameter(self.name, "word_bits", self.word_bits)
        check_parameter(self.name, "frac_bits", self.frac_bits)
        check_boolean("signed", self.signed)

    @property
    def step(self) -> float:
        """Distance between neighbouring numbers, 2^-frac_bits."""
        return 2.0**-self.frac_bits

    @property
    def min_code(self) -> int:
        """Smallest code."""
        return -(2 ** (self.word_bits - 1)) if self.signed else 0

    @property
    def max_code(self) -> int:
        """Largest code."""
        return 2 ** (self.word_bits - self.signed) - 1

    @property
    def min(self) -> float:
        """Smallest number, min_code * step."""
        return self.min_code * self.step

    @property
    def max(self) -> float:
        """Largest number, max_code * step, as a double, which rounds more than 53 bits."""
        return self.max_code * self.step


@dataclasses.dataclass(frozen=True)
class ScaledInteger(Format):
    """HALP's (delta, b): the grid scale * {min, ..., max}, with a scale that is set at run time.

    So `min` and `max` are codes, -2^(b-1) and 2^(b-1)-1, and there is no `step`.

    Raises:
        InputError: word_bits is of the wrong type or out of range.

    Source: De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383, section 2.
    """

    word_bits: int  # all bits of a code, the sign included: 1..64

    name: ClassVar[str] = "scaled_integer"
    example: ClassVar[str] = "{format: scaled_integer, word_bits: 8}"

    def __post_init__(self) -> None:
        check_parameter(self.name, "word_bits", self.word_bits)

    @property
    def min(self) -> int:
        """Smallest code."""
        return -(2 ** (self.word_bits - 1))

    @property
    def max(self) -> int:
        """Largest code."""
        return 2 ** (self.word_bits - 1) - 1
