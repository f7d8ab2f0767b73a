"""What the sections have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Named(Section):
    """A section, or a part of one, whose `name` decides which further keys there are."""

    name: str

    is_composed: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """What it is called in titles."""
        return self.name

    @property
    def numbers(self) -> str:
        """A number format in words, "" without one."""
        return ""


def by_name(*kinds: type[Named]) -> dict[str, type[Named]]:
    """The classes by what their `name` is: a `Literal` of one word."""
    return {get_args(kind.model_fields["name"].annotation)[0]: kind for kind in kinds}


def name_of(value: Any) -> Any:
    """The `name` of a section that is not checked yet, or that is an object; None without one."""
    return value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
