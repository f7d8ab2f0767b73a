"""The roundings, overflows and gradients that a quantizer can have with each format."""

import dataclasses

from quant_ops.arguments import ROUNDINGS
from tq_halp import formats
from tq_halp.formats import Format

STRAIGHT_THROUGH = ("straight_through",)


@dataclasses.dataclass(frozen=True)
class Choices:
    """Valid arguments of a `Quantizer`, the default first. (): only None is valid."""

    rounding: tuple[str, ...] = ROUNDINGS
    overflow: tuple[str, ...] = ("saturate",)
    gradient: tuple[str, ...] = (*STRAIGHT_THROUGH, "clipped")


# A clipped gradient needs fixed limits. Blocks have none, for they are scaled to their largest
# element; and sparse numbers have none.
_CHOICES: dict[type[Format], Choices] = {
    formats.FixedPoint: Choices(overflow=("saturate", "wrap")),
    formats.ScaledInteger: Choices(overflow=("saturate", "wrap")),
    formats.Minifloat: Choices(overflow=("saturate", "infinity")),
    formats.BlockFloat: Choices(gradient=STRAIGHT_THROUGH),
    formats.MX: Choices(gradient=STRAIGHT_THROUGH),
    formats.PowerOfTwo: Choices(),
    formats.Binary: Choices(rounding=("nearest_up", "stochastic")),
    formats.Ternary: Choices(rounding=()),
    formats.Sparse: Choices(rounding=(), gradient=STRAIGHT_THROUGH),
}


def choices(format: Format) -> Choices:
    """The valid arguments of a quantizer with that format."""
    found = _CHOICES[type(format)]
    if isinstance(format, formats.Minifloat) and format.specials == "none":
        return dataclasses.replace(found, overflow=("saturate",))  # it has no infinity and no NaN
    return found
