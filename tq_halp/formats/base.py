"""What every number format is: a frozen value with a name, that YAML can hold."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tq_halp.errors import InputError
from tq_halp.formats.check_arguments import unknown


@dataclasses.dataclass(frozen=True)
class Format:
    """Base of the families of formats, which are frozen dataclasses.

    The name of a family is also that of the op in `quant_ops` that rounds to it, and its fields are
    that op's arguments.
    """

    name: ClassVar[str]
    example: ClassVar[str]  # a mapping, as YAML holds it

    # Members that have a name of their own, such as bfloat16, and the fields that the name leaves
    # open: {format: bfloat16, subnormals: false}.
    named: ClassVar[Mapping[str, "Format"]] = {}
    open_fields: ClassVar[tuple[str, ...]] = ()

    @property
    def elementwise(self) -> bool:
        """Whether, given the scale, each number is rounded without regard to the others."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """The mapping that YAML holds, with every field written out."""
        return {"format": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], beside: Iterable[str] = ()) -> "Format":
        """The inverse of `to_dict`; `format` may also be one of the names in `named`.

        Raises:
            InputError: a parameter is unknown, missing or wrong. `beside` are further keys that are
                valid where the mapping comes from, for the message.
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
        """Raises InputError if no tensor of that shape can be rounded to the format."""

    def __str__(self) -> str:
        """The name, and in parentheses what it leaves open: bfloat16(subnormals=False)."""
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
