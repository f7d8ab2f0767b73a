"""`Format`, the base class of the number formats."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tq_halp.errors import InputError
from tq_halp.formats.check_arguments import unknown


@dataclasses.dataclass(frozen=True)
class Format:
    """Base class of the families of formats. Each family is a frozen dataclass.

    A family has the name of the op in `quant_ops` that rounds to it. Its fields are arguments of
    that op.
    """

    name: ClassVar[str]
    example: ClassVar[str]  # a mapping, as YAML holds it

    # Formats of the family that have names, such as bfloat16; and the fields that a name leaves
    # open: {format: bfloat16, subnormals: false}.
    named: ClassVar[Mapping[str, "Format"]] = {}
    open_fields: ClassVar[tuple[str, ...]] = ()

    @property
    def elementwise(self) -> bool:
        """Whether each number is rounded by itself, once the scale is known."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """The mapping that YAML holds, with every field written out."""
        return {"format": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], beside: Iterable[str] = ()) -> "Format":
        """The inverse of `to_dict`; `format` may also be one of the names in `named`.

        Raises:
            InputError: a parameter is unknown, missing or wrong. The message also lists `beside`,
                other keys that the caller accepts in the same mapping.
        """
        name = mapping.get("format", cls.name)
        parameters = {key: value for key, value in mapping.items() if key != "format"}
        fields = {field.name: field for field in dataclasses.fields(cls)}
        valid = cls.open_fields if name in cls.named else fields
        for key in parameters:
            if key not in valid:
                raise unknown(f"parameter of {name}", key, [*valid, *beside])
        if name in cls.named:
            return dataclasses.replace(cls.named[name], **parameters)
        for key, field in fields.items():
            if field.default is dataclasses.MISSING and key not in parameters:
                raise InputError(f"{name} needs {key}: write, for example, {cls.example}")
        return cls(**parameters)

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """Checks that a tensor of that shape (None: unknown length) can be rounded to the format.

        Raises:
            InputError: it cannot be, because blocks do not divide an axis.
        """

    def __str__(self) -> str:
        """The name, with the open fields that are not the default: bfloat16(subnormals=False)."""
        fields = {field.name: field for field in dataclasses.fields(self)}
        usual = {key: fields[key].default for key in self.open_fields}
        names = {format: name for name, format in self.named.items()}
        name = names.get(dataclasses.replace(self, **usual))
        shown = []
        for key in fields if name is None else usual:
            value = getattr(self, key)
            if fields[key].default is dataclasses.MISSING:
                shown.append(str(value))
            elif value != fields[key].default:
                shown.append(f"{key}={value}")
        return (name or self.name) + (f"({', '.join(shown)})" if shown else "")
