"""From what pydantic finds wrong to a line that helps."""

import re
from collections.abc import Sequence
from typing import Any

from tq_halp.config.schema import Config
from tq_halp.config.sections import NAMED, Optimizer, Train
from tq_halp.config.sections.composed_algorithm import ComposedAlgorithm
from tq_halp.config.value_types import Schedule
from tq_halp.settings_with_origins import Settings, suggestion

# Booleans of YAML 1.1, which are words in 1.2.
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def explain(error: dict[str, Any], settings: Settings) -> str:
    """One line: origin, key path, what was received, what would be valid."""
    location = _location(error["loc"], settings.values)
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return _of_name(location, settings)
    where, key = settings.origin(location), ".".join(map(str, location))
    subject = settings.subject(location)
    if error["type"] == "missing":
        return f"{where}: {key} is missing"
    if error["type"] == "extra_forbidden":
        fields = _fields_at(location[:-1], settings.values)
        return f"{where}: unknown key {key!r}{suggestion(location[-1], fields)}"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"{subject}: received {error['input']!r}, expected a mapping"
    valid = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    valid = valid.replace("expected greater", "expected a number greater")
    valid = valid.replace("expected less", "expected a number less")
    hint = "; a number has no quotes" if _is_quoted_number(error) else ""
    if error["type"] == "bool_type" and str(error["input"]).lower() in _BOOLEANS:
        hint = f"; write {_BOOLEANS[error['input'].lower()]}"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        words = re.findall(r"'(.*?)'", error["ctx"]["expected"])
        close = suggestion(error["input"], words)
        hint = close if "did you mean" in close else ""
    return f"{subject}: received {error['input']!r}, {valid}{hint}"


def _of_name(location: list, settings: Settings) -> str:
    """A section without a `name`, or with one that nothing has."""
    given, place = _value_at(location, settings.values), ".".join(location)
    if not isinstance(given, dict):
        return f"{settings.subject(location)}: received {given!r}, expected a mapping"
    if "name" not in given:
        other = "; or give an estimator and an iterate" if place == "algorithm" else ""
        return f"{settings.origin(location)}: {place}.name is missing{other}"
    name, known = given["name"], list(NAMED[place])
    hint = suggestion(name, known)
    own = " or package>Class" if "." in place else ""
    valid = f"expected one of {', '.join(known)}{own}"
    hint = hint if "did you mean" in hint else ""
    return f"{settings.subject([*location, 'name'])}: received {name!r}, {valid}{hint}"


def _is_quoted_number(error: dict) -> bool:
    wants_number = error["type"] in ("int_type", "float_type") or "number" in error["msg"]
    if not (wants_number and isinstance(error["input"], str)):
        return False
    try:
        float(error["input"])
    except ValueError:
        return False
    return True


def _location(loc: tuple, values: Any) -> list:
    """`loc` without the names that pydantic adds for the members of a union."""
    path, rest = [], list(loc)
    while rest:
        path.append(rest.pop(0))
        if ".".join(map(str, path)) in NAMED and rest:
            del rest[0]  # the tag: the section's name
        elif not isinstance(_value_at(path, values), (dict, list)):
            break
        while len(rest) > 1 and isinstance(held := _value_at(path, values), dict):
            if rest[0] in held:
                break
            del rest[0]
    return path


def _value_at(path: Sequence, values: Any) -> Any:
    for part in path:
        is_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not (is_list or isinstance(values, dict) and part in values):
            return None
        values = values[part]
    return values


def _fields_at(path: Sequence, values: Any) -> list[str]:
    """The keys that may be at a path."""
    place = ".".join(map(str, path))
    if place in NAMED:
        given = _value_at(path, values)
        if given.get("name") in NAMED[place]:
            return list(NAMED[place][given["name"]].model_fields)
        return list(ComposedAlgorithm.model_fields)
    kinds = {"": Config, "train": Train, "optimizer": Optimizer}
    return list(kinds.get(place, Schedule).model_fields)
