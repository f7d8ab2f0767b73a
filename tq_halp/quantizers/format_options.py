"""What a format leaves to its quantizer: which roundings, overflows and gradients it takes."""

import dataclasses

from quant_ops import facts
from tq_halp import formats
from tq_halp.formats import Format

STRAIGHT_THROUGH = ("straight_through",)


@dataclasses.dataclass(frozen=True)
class Choices:
    """Valid arguments of a `Quantizer`, the default first; () where only None is."""

    rounding: tuple[str, ...] = facts.ROUNDINGS
    overflow: tuple[str, ...] = ("saturate",)
    gradient: tuple[str, ...] = facts.GRADIENTS


# Nothing is clipped where nothing is fixed: blocks are scaled to their largest element, and sparse
# numbers have no limits.
_CHOICES: dict[type[Format], Choices] = {
    formats.FixedPoint: Choices(overflow=facts.GRID_OVERFLOWS),
    formats.ScaledInteger: Choices(overflow=facts.GRID_OVERFLOWS),
    formats.Minifloat: Choices(overflow=facts.FLOAT_OVERFLOWS),
    formats.BlockFloat: Choices(gradient=STRAIGHT_THROUGH),
    formats.MX: Choices(gradient=STRAIGHT_THROUGH),
    formats.PowerOfTwo: Choices(),
    formats.Binary: Choices(rounding=facts.BINARY_ROUNDINGS),
    formats.Ternary: Choices(rounding=()),
    formats.Sparse: Choices(rounding=(), gradient=STRAIGHT_THROUGH),
}


def choices(format: Format) -> Choices:
    """The choices that a format leaves."""
    found = _CHOICES[type(format)]
    if isinstance(format, formats.Minifloat) and format.specials == "none":
        return dataclasses.replace(found, overflow=("saturate",))  # it has no infinity and no NaN
    return found
