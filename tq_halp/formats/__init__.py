"""Number formats: frozen value objects that say which numbers exist. No TensorFlow here.

How a real number becomes one of them, by rounding and overflow, is up to the quantizer: see
`tq_halp.quantizers`. Every format can be written as a mapping, as in YAML, and read back. The
well-known formats have names::

    >>> get({"format": "fixed_point", "word_bits": 8, "frac_bits": 6})
    FixedPoint(word_bits=8, frac_bits=6, signed=True)
    >>> get("float8_e4m3fn").max
    448.0
    >>> get({"format": "mxfp4", "axis": 0}) == MX("float4_e2m1fn", axis=0)
    True
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tq_halp.errors import InputError
from tq_halp.formats.base import Format
from tq_halp.formats.block_formats import MX, BlockFloat
from tq_halp.formats.check_arguments import unknown
from tq_halp.formats.float_formats import Minifloat, PowerOfTwo
from tq_halp.formats.level_formats import Binary, Sparse, Ternary
from tq_halp.formats.uniform_grids import FixedPoint, ScaledInteger

__all__ = [
    "FAMILIES",
    "MX",
    "NAMED",
    "NAMES",
    "Binary",
    "BlockFloat",
    "FixedPoint",
    "Format",
    "Minifloat",
    "PowerOfTwo",
    "ScaledInteger",
    "Sparse",
    "Ternary",
    "get",
    "unknown",
]

FAMILIES: dict[str, type[Format]] = {
    family.name: family
    for family in (
        FixedPoint,
        ScaledInteger,
        Minifloat,
        BlockFloat,
        MX,
        PowerOfTwo,
        Binary,
        Ternary,
        Sparse,
    )
}
NAMED: dict[str, Format] = {
    name: format for family in FAMILIES.values() for name, format in family.named.items()
}
NAMES: tuple[str, ...] = (*FAMILIES, *NAMED)  # all that `get` knows


def get(identifier: Format | str | Mapping[str, Any], beside: Iterable[str] = ()) -> Format:
    """A format from itself, its name or its mapping.

    Args:
        identifier: a format; one of `NAMES`; or a mapping of `format`, one of `NAMES`, and
            parameters: those of the family, or those that the name leaves open.
        beside: other keys that the caller accepts in the same mapping; the error message lists
            them.

    Returns:
        The format, a frozen value object.

    Raises:
        InputError: not a format, an unknown format, or a wrong parameter.
    """
    if isinstance(identifier, Format):
        return identifier
    mapping = {"format": identifier} if isinstance(identifier, str) else identifier
    if not isinstance(mapping, Mapping):
        raise InputError(
            f"format must be a name such as float8_e5m2 or a mapping such as {FixedPoint.example}. "
            f"Received: {identifier!r}"
        )
    if "format" not in mapping:
        raise InputError(f"format is missing: write, for example, {FixedPoint.example}")
    name = mapping["format"]
    if not isinstance(name, str) or name not in NAMES:
        raise unknown("format", name, NAMES)
    family = FAMILIES.get(name) or type(NAMED[name])
    return family.from_dict(mapping, beside)
