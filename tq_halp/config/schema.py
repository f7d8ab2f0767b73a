"""A config: its sections, what they say together, and how it is written."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PrivateAttr, model_serializer
from ruamel.yaml import YAML

from tq_halp.config import value_types
from tq_halp.config.section import Section
from tq_halp.config.sections import Algorithm, Data, Model, Optimizer, Train
from tq_halp.config.sections.algorithm import PARTS
from tq_halp.config.unused_keys import idle, without
from tq_halp.settings_with_origins import Settings


class Config(Section):
    """One run, whole."""

    data: Data
    model: Model
    quantization: Annotated[Any, BeforeValidator(value_types.path_or_mapping)] = None
    algorithm: Algorithm
    optimizer: Optimizer
    train: Train
    seed: Annotated[int, value_types.from_to(0, 2**31 - 1)] = 0

    _settings: Settings | None = PrivateAttr(None)

    def subject(self, *path: str) -> str:
        """How an error about a key begins: its origin, if the config was loaded, and the key."""
        return self._settings.subject(path) if self._settings else ".".join(path)

    def origin(self, *path: str | int) -> str:
        """Where the value at `path` came from: "file:line", "--set key"; "config" if not loaded."""
        return self._settings.origin(path) if self._settings else "config"

    def blame(self, section: str, reason: str) -> str:
        """How an error begins about a section as a whole: as one about the key that it names.

        Of several keys it is the one that was changed on the command line.
        """
        named = [
            path
            for path in _paths(self.used(section))
            if re.search(rf"\b{re.escape(path[-1])}\b", reason)
        ]
        is_changed = self._settings.is_overridden if self._settings else lambda path: False
        named.sort(key=lambda path: not is_changed((section, *path)))
        return self.subject(section, *(named[0] if named else ()))

    def used(self, section: str) -> dict[str, Any]:
        """The values of a section that do something, its `name` apart."""
        left = without(complete := _mappings(self), idle(complete))[section]
        return {key: value for key, value in left.items() if key != "name"}

    def algorithm_parts(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """The values that do something in `algorithm`, and in its parts, by where these stand."""
        used = self.used("algorithm")
        parts = (key for key in PARTS if self.algorithm.is_composed)
        return {("algorithm",): used, **{("algorithm", key): used[key] for key in parts}}

    @model_serializer(mode="wrap")
    def _what_does_something(self, handler: Callable[["Config"], dict]) -> dict[str, Any]:
        complete = handler(self)
        return without(complete, idle(complete))

    def to_yaml(self) -> str:
        """Every value that does something, defaults too, as YAML that `load` reads back equal."""
        return to_yaml(self.model_dump())


def _mappings(section: Section) -> dict[str, Any]:
    """Its values by their keys; sections in it likewise, Keras' objects and others as they are."""
    return {
        key: _mappings(value)
        if isinstance(value, Section) and not isinstance(value, value_types.KerasObject)
        else value
        for key, value in section
    }


def _paths(values: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The keys, and in parts of a section those below; a format's own keys are no config's."""
    for key, value in values.items():
        yield (key,)
        if isinstance(value, Mapping) and "name" in value:
            yield from ((key, *below) for below in _paths(value) if below != ("name",))


def to_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML, a line for each."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    yaml.dump(values, text)
    return text.getvalue()
