"""Formats in which the numbers of a block share one exponent: `BlockFloat` and `MX`."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from tq_halp.errors import InputError
from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import check_choice, check_integer
from tq_halp.formats.floats import Minifloat
from tq_halp.formats.grids import FixedPoint

# The elements of the OCP specification. Its int8 is fixed point with six bits after the point.
ELEMENTS: dict[str, Minifloat | FixedPoint] = {
    **{
        name: Minifloat.named[name]
        for name in (
            "float8_e4m3fn",
            "float8_e5m2",
            "float6_e3m2fn",
            "float6_e2m3fn",
            "float4_e2m1fn",
        )
    },
    "int8": FixedPoint(8, 6),
}
SCALE_ROUNDINGS = ("floor", "ceil", "rceil", "even")


class BlockFormat(Format):
    """What both have in common: blocks of `block_size` neighbours along `axis`."""

    block_size: int
    axis: int

    @property
    def elementwise(self) -> bool:
        return False

    def check_shape(self, shape: Sequence[int | None]) -> None:
        axis, rank = self.axis, len(shape)
        if not -rank <= axis < rank:
            raise InputError(
                f"axis must be from {-rank} to {rank - 1} for a tensor of shape {tuple(shape)}. "
                f"Received: {axis}"
            )
        length = shape[axis]
        if length is not None and length % self.block_size:
            raise InputError(
                f"block_size must divide {length}, the length of axis {axis} of a tensor of "
                f"shape {tuple(shape)}. Received: {self.block_size}"
            )

    def _check_blocks(self) -> None:
        check_integer("block_size", self.block_size, 1, 2**31 - 1)
        check_integer("axis", self.axis, -254, 253)  # TensorFlow tensors have at most 254 axes


@dataclasses.dataclass(frozen=True)
class BlockFloat(BlockFormat):
    """Block floating point: `block_size` neighbours along `axis` share one exponent.

        2^(k-(w-2)) * {min, ..., max},   k = floor(log2 of the block's largest magnitude)

    `min` and `max` are therefore codes, -(2^(w-1)-1) and 2^(w-1)-1. The exponent k is not limited.

    Raises:
        InputError: an argument is of the wrong type or out of range.
    """

    word_bits: int  # w, all bits of a code, the sign included: 2..32
    block_size: int  # must divide the length of the axis
    axis: int = -1

    name: ClassVar[str] = "block_float"
    example: ClassVar[str] = "{format: block_float, word_bits: 8, block_size: 16}"

    def __post_init__(self) -> None:
        check_integer("word_bits", self.word_bits, 2, 32)
        self._check_blocks()

    @property
    def eps(self) -> float:
        """Distance between neighbours in a block whose largest magnitude is in [1, 2)."""
        return 2.0 ** (2 - self.word_bits)

    @property
    def min(self) -> int:
        """Smallest code: symmetric, the two's complement's lowest is not used."""
        return -self.max

    @property
    def max(self) -> int:
        """Largest code."""
        return 2 ** (self.word_bits - 1) - 1


@dataclasses.dataclass(frozen=True)
class MX(BlockFormat):
    """OCP microscaling: `block_size` neighbours along `axis` share a scale 2^k, -127 <= k <= 127.

        2^k * {the numbers of the element}

    With E = floor(log2 of the block's largest magnitude) and emax the exponent of the element's
    largest number, k = E - emax, or one more as `scale_rounding` says:

        "floor"   never, as in the specification: a block's largest numbers may saturate
        "ceil"    unless the largest magnitude is a power of two
        "rceil"   if the largest magnitude would exceed the element's largest number otherwise
        "even"    if the largest magnitude, rounded to the element's precision, reaches 2^(E+1)

    A matrix product sums over one axis of each factor, and hardware shares scales along that axis:
    for a Dense kernel [inputs, outputs] it is axis 0, for activations -1.

    Raises:
        InputError: an argument is of the wrong type or none of its valid values.

    References: OCP Microscaling Formats (MX) Specification 1.0, sections 5 and 6.3.
    """

    element: str = "float8_e4m3fn"
    block_size: int = 32  # must divide the length of the axis
    axis: int = -1
    scale_rounding: str = "floor"

    name: ClassVar[str] = "mx"
    example: ClassVar[str] = "{format: mx, element: float8_e4m3fn}"
    open_fields: ClassVar[tuple[str, ...]] = ("block_size", "axis", "scale_rounding")

    def __post_init__(self) -> None:
        check_choice("element", self.element, ELEMENTS)
        self._check_blocks()
        check_choice("scale_rounding", self.scale_rounding, SCALE_ROUNDINGS)

    @property
    def element_format(self) -> Minifloat | FixedPoint:
        """The format of the elements before they are scaled."""
        return ELEMENTS[self.element]

    @property
    def min(self) -> float:
        """The most negative number, in a block with the largest scale; int8's -128 is not used."""
        return -self.max

    @property
    def max(self) -> float:
        """Largest number, in a block with the largest scale."""
        return self.element_format.max * 2.0**127


# Where the specification has two elements of a width, the short name means the one that follows it.
# Of two equal ones `str` shows the last.
MX.named = {
    "mxfp8": MX("float8_e4m3fn"),
    "mxfp8_e4m3": MX("float8_e4m3fn"),
    "mxfp8_e5m2": MX("float8_e5m2"),
    "mxfp6": MX("float6_e3m2fn"),
    "mxfp6_e3m2": MX("float6_e3m2fn"),
    "mxfp6_e2m3": MX("float6_e2m3fn"),
    "mxfp4": MX("float4_e2m1fn"),
    "mxint8": MX("int8"),
}
