"""Block formats, in which the numbers of a block share one exponent: `BlockFloat` and `MX`."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from quant_ops import format_facts
from tq_halp.errors import InputError
from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import check_choice, check_integer, check_parameter
from tq_halp.formats.float_formats import Minifloat
from tq_halp.formats.uniform_grids import FixedPoint

# The element formats of the OCP specification.
ELEMENTS: dict[str, Minifloat | FixedPoint] = {
    **{name: Minifloat.named[name] for name in format_facts.MX_FLOAT_ELEMENTS},
    **{name: FixedPoint(*bits) for name, bits in format_facts.MX_INTEGER_ELEMENTS.items()},
}


class BlockFormat(Format):
    """Base class of both: a block is `block_size` neighbours along `axis`."""

    block_size: int
    axis: int

    @property
    def elementwise(self) -> bool:
        """False: the numbers of a block share an exponent."""
        return False

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """Checks that blocks divide the axis of a tensor of that shape, or raises InputError."""
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
        check_integer("block_size", self.block_size, *format_facts.BLOCK_SIZES)
        check_integer("axis", self.axis, *format_facts.AXES)


@dataclasses.dataclass(frozen=True)
class BlockFloat(BlockFormat):
    """Block floating point: `block_size` neighbours along `axis` share one exponent.

        2^(k-(w-2)) * {min, ..., max},   k = floor(log2 of the block's largest magnitude)

    `min` and `max` are codes, -(2^(w-1)-1) and 2^(w-1)-1. The exponent k is not limited.

    Raises:
        InputError: an argument is of the wrong type or out of range.
    """

    word_bits: int  # w, all bits of a code, the sign included: 2..32
    block_size: int  # must divide the length of the axis
    axis: int = -1

    name: ClassVar[str] = "block_float"
    example: ClassVar[str] = "{format: block_float, word_bits: 8, block_size: 16}"

    def __post_init__(self) -> None:
        check_parameter(self.name, "word_bits", self.word_bits)
        self._check_blocks()

    @property
    def eps(self) -> float:
        """Distance between neighbouring numbers in a block whose largest magnitude is in [1, 2)."""
        return 2.0 ** (2 - self.word_bits)

    @property
    def min(self) -> int:
        """Smallest code, -max: the lowest code of two's complement is not used."""
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

        "floor"   never one more, as in the specification; the largest numbers may saturate
        "ceil"    one more unless the largest magnitude is a power of two
        "rceil"   one more if the largest magnitude would exceed the element's largest number
        "even"    one more if the largest magnitude, rounded to the element's precision, is 2^(E+1)

    A matrix product sums over one axis of each factor. Hardware shares scales along that axis: axis
    0 of a Dense kernel [inputs, outputs], axis -1 of activations.

    Raises:
        InputError: an argument is of the wrong type or not one of its valid values.

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
        check_choice("scale_rounding", self.scale_rounding, format_facts.SCALE_ROUNDINGS)

    @property
    def element_format(self) -> Minifloat | FixedPoint:
        """The format of the elements, before the scale is applied."""
        return ELEMENTS[self.element]

    @property
    def min(self) -> float:
        """The most negative number, with the largest scale. The code -128 of int8 is not used."""
        return -self.max

    @property
    def max(self) -> float:
        """Largest number, with the largest scale."""
        return self.element_format.max * 2.0**127


# The short name of a width means the first of its elements, the entry after it. `str` shows the
# last name of equal formats.
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
