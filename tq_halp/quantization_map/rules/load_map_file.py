"""Reading of a quantization map from YAML or a mapping, with errors that name file and line."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.quantization_map.rules.parse_format import ValueParser, parse_defaults
from tq_halp.quantization_map.rules.rule import Rule, parse_rule
from tq_halp.settings_with_origins import Settings

KEYS = ("version", "defaults", "formats", "rules")

Origin = Callable[[tuple], str]  # key path -> "file:line"


def load(path: str | Path) -> tuple[Mapping[str, Any], tuple[Rule, ...]]:
    """The mapping in a YAML file, and its rules.

    Raises:
        InputError: the file or a rule is wrong. The message is "file:line: rule N: ...", with the
            value received and the valid ones.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(
            f"a quantization map's path must be a text or a Path. Received: {path!r}; "
            "QuantizationMap.from_dict takes a mapping"
        )
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file, expected a quantization map")
    settings = Settings(path)
    return settings.values, parse(settings.values, settings.origin)


def parse(mapping: Mapping[str, Any], origin: Origin | None = None) -> tuple[Rule, ...]:
    """The rules of a map given as a mapping.

    Args:
        mapping: the keys of the YAML file: version, defaults, formats, rules.
        origin: a function from a path of keys to "file:line". None: errors name a rule by index.

    Raises:
        InputError: as `load`.
    """
    place = _Place(origin)
    if not isinstance(mapping, Mapping):
        hint = ""
        if isinstance(mapping, (str, os.PathLike)):
            hint = "; QuantizationMap.from_yaml takes the path of a file"
        raise InputError(
            f"{place()}: must be a mapping of {', '.join(KEYS)}. Received: {mapping!r}{hint}"
        )
    for key in mapping:
        if key not in KEYS:
            raise InputError(f"{place(key)}: {formats.unknown('key', key, KEYS)}")
    version = mapping.get("version")
    if isinstance(version, bool) or version != 1:
        received = repr(version) if "version" in mapping else "nothing"
        raise InputError(f"{place('version')}: version must be 1. Received: {received}")
    defaults = parse_defaults(mapping.get("defaults") or {}, place)
    values = _parse_formats(mapping.get("formats") or {}, defaults, place)
    raw = mapping.get("rules")
    if not isinstance(raw, (list, tuple)) or not raw:
        raise InputError(f"{place('rules')}: rules must be a list of rules. Received: {raw!r}")
    return tuple(
        parse_rule(rule, number, values, lambda *key, k=number - 1: place("rules", k, *key))
        for number, rule in enumerate(raw, start=1)
    )


def _parse_formats(raw: Any, defaults: Mapping[str, Any], place: Callable[..., str]) -> ValueParser:
    if not isinstance(raw, Mapping):
        raise InputError(f"{place('formats')}: formats must be a mapping. Received: {raw!r}")
    named, unnamed = {}, ValueParser({}, defaults)
    for name, mapping in raw.items():
        where = f"{place('formats', name)}: formats.{name}"
        if not isinstance(name, str) or name == "none":
            raise InputError(f"{where}: a format's name must be a text other than none")
        if name in formats.NAMES:
            raise InputError(f"{where}: {name} is the name of a format already, choose another")
        if not isinstance(mapping, (str, Mapping)):
            raise InputError(f"{where} must be a mapping or a format's name. Received: {mapping!r}")
        try:
            named[name] = unnamed.quantizer(mapping)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return ValueParser(named, defaults)


class _Place:
    """The start of an error message for a key path: file:line and the rule."""

    def __init__(self, origin: Origin | None) -> None:
        self._origin = origin

    def __call__(self, *path: Any) -> str:
        is_rule = len(path) > 1 and path[0] == "rules"
        if self._origin is None:
            return "quantization map" + (f": rules[{path[1]}]" if is_rule else "")
        return self._origin(path) + (f": rule {path[1] + 1}" if is_rule else "")
