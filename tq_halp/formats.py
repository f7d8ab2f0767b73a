"""Number formats: frozen facts about a grid of numbers. Plain Python, no TensorFlow.

A format says which numbers exist; how a real number becomes one of them (rounding, overflow) is a
quantizer's matter (`tq_halp.quantizers`). Every format round-trips through the mapping that YAML
holds::

    >>> get({"format": "fixed_point", "word_bits": 8, "frac_bits": 6})
    FixedPoint(word_bits=8, frac_bits=6, signed=True)
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tq_halp.errors import InputError


@dataclasses.dataclass(frozen=True)
class FixedPoint:
    """Fixed point: the grid step * {min_code, ..., max_code} with step = 2^-frac_bits.

    Signed codes are two's complement, -2^(w-1) .. 2^(w-1)-1; unsigned ones 0 .. 2^w-1.

    Raises:
        InputError: an argument is of the wrong type or out of range.
    """

    word_bits: int  # all bits of a number, the sign included: 1..64
    frac_bits: int  # bits after the binary point, may be negative or exceed word_bits: -512..512
    signed: bool = True

    name: ClassVar[str] = "fixed_point"

    def __post_init__(self):
        _check_integer("word_bits", self.word_bits, 1, 64)
        _check_integer("frac_bits", self.frac_bits, -512, 512)
        if not isinstance(self.signed, bool):
            raise InputError(f"signed must be true or false, received {self.signed!r}")

    @property
    def step(self) -> float:
        """Distance between neighbours, 2^-frac_bits."""
        return 2.0**-self.frac_bits

    @property
    def min_code(self) -> int:
        return -(2 ** (self.word_bits - 1)) if self.signed else 0

    @property
    def max_code(self) -> int:
        return 2 ** (self.word_bits - self.signed) - 1

    @property
    def min(self) -> float:
        """Smallest number, min_code * step."""
        return self.min_code * self.step

    @property
    def max(self) -> float:
        """Largest number, max_code * step, as a double (which may round it above 53 bits)."""
        return self.max_code * self.step

    def to_dict(self) -> dict[str, Any]:
        """The mapping that YAML holds."""
        return {"format": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "FixedPoint":
        """The inverse of `to_dict`."""
        return _from_dict(cls, mapping)

    def __str__(self):
        sign = "" if self.signed else ", unsigned"
        return f"{self.name}({self.word_bits}, {self.frac_bits}{sign})"


@dataclasses.dataclass(frozen=True)
class ScaledInteger:
    """HALP's (delta, b): the grid scale * {min, ..., max}, the scale being known at run time only.

    `min` and `max` are therefore codes, -2^(b-1) and 2^(b-1)-1, and there is no `step`.

    Raises:
        InputError: word_bits is of the wrong type or out of range.
    """

    word_bits: int  # all bits of a code, the sign included: 1..64

    name: ClassVar[str] = "scaled_integer"

    def __post_init__(self):
        _check_integer("word_bits", self.word_bits, 1, 64)

    @property
    def min(self) -> int:
        """Smallest code."""
        return -(2 ** (self.word_bits - 1))

    @property
    def max(self) -> int:
        """Largest code."""
        return 2 ** (self.word_bits - 1) - 1

    def to_dict(self) -> dict[str, Any]:
        """The mapping that YAML holds."""
        return {"format": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "ScaledInteger":
        """The inverse of `to_dict`."""
        return _from_dict(cls, mapping)

    def __str__(self):
        return f"{self.name}({self.word_bits})"


Format = FixedPoint | ScaledInteger

FAMILIES: dict[str, type] = {family.name: family for family in (FixedPoint, ScaledInteger)}


def get(identifier: Format | Mapping[str, Any]) -> Format:
    """A format from itself or from its mapping.

    Raises:
        InputError: not a format, an unknown one, or wrong parameters; says which would be right.
    """
    if isinstance(identifier, Format):
        return identifier
    if isinstance(identifier, str) and identifier not in FAMILIES:
        raise unknown("format", identifier, FAMILIES)
    if not isinstance(identifier, Mapping):
        raise InputError(f"format must be a mapping such as {_EXAMPLE}, received {identifier!r}")
    if "format" not in identifier:
        raise InputError(f"format is missing: write, for example, {_EXAMPLE}")
    return FAMILIES[family_name(identifier["format"])].from_dict(identifier)


def family_name(name: Any) -> str:
    """`name` if it is a family of formats, else an InputError that lists them."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise unknown("format", name, FAMILIES)
    return name


def unknown(what: str, received: Any, valid: Iterable[str]) -> InputError:
    """The error for a name that is none of `valid`, with the nearest one as a suggestion."""
    valid = list(valid)
    message = f"unknown {what} {received!r}, valid: {', '.join(valid)}"
    near = difflib.get_close_matches(str(received), valid, n=1)
    return InputError(message + (f"; did you mean {near[0]!r}?" if near else ""))


_EXAMPLE = "{format: fixed_point, word_bits: 8, frac_bits: 6}"


def _from_dict(cls, mapping: Mapping[str, Any]):
    fields = {field.name: field for field in dataclasses.fields(cls)}
    parameters = {key: value for key, value in mapping.items() if key != "format"}
    for key in parameters:
        if key not in fields:
            raise unknown(f"parameter of {cls.name}", key, fields)
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in parameters:
            raise InputError(f"{cls.name} needs {name}: write, for example, {_EXAMPLE}")
    return cls(**parameters)


def _check_integer(name: str, value: Any, low: int, high: int) -> None:
    # bool is an int to Python, and "word_bits: yes" is a mistake to everyone else.
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be an integer from {low} to {high}, received {value!r}")
