"""The roundings, overflows and gradients that a quantizer can have with each format."""

import dataclasses

from quant_ops import format_facts
from tq_halp import formats
from tq_halp.formats import Format

STRAIGHT_THROUGH = ("straight_through",)


@dataclasses.dataclass(frozen=True)
class FormatOptions:
    """Valid arguments of a `Quantizer`, the default first. (): only None is valid."""

    rounding: tuple[str, ...] = format_facts.ROUNDINGS
    overflow: tuple[str, ...] = ("saturate",)
    gradient: tuple[str, ...] = format_facts.GRADIENTS


# A clipped gradient needs fixed limits. Blocks have none, for they are scaled to their largest
# element; and sparse numbers have none.
_OPTIONS: dict[type[Format], FormatOptions] = {
    formats.FixedPoint: FormatOptions(overflow=format_facts.GRID_OVERFLOWS),
    formats.ScaledInteger: FormatOptions(overflow=format_facts.GRID_OVERFLOWS),
    formats.Minifloat: FormatOptions(overflow=format_facts.FLOAT_OVERFLOWS),
    formats.BlockFloat: FormatOptions(gradient=STRAIGHT_THROUGH),
    formats.MX: FormatOptions(gradient=STRAIGHT_THROUGH),
    formats.PowerOfTwo: FormatOptions(),
    formats.Binary: FormatOptions(rounding=format_facts.BINARY_ROUNDINGS),
    formats.Ternary: FormatOptions(rounding=()),
    formats.Sparse: FormatOptions(rounding=(), gradient=STRAIGHT_THROUGH),
}


def options_of(format: Format) -> FormatOptions:
    """The valid arguments of a quantizer with that format."""
    found = _OPTIONS[type(format)]
    if isinstance(format, formats.Minifloat) and format.specials == "none":
        return dataclasses.replace(found, overflow=("saturate",))  # it has no infinity and no NaN
    return found
