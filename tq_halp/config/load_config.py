"""From a file to a config, and from what pydantic finds wrong to a line that helps."""

import copy
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from tq_halp.config.schema import Config
from tq_halp.config.unused_keys import idle, without
from tq_halp.config.value_types import MOST_NUMBERS, Schedule
from tq_halp.errors import InputError
from tq_halp.yaml_settings import Settings, suggestion

#: How a file begins that a run, or a comparison, wrote: every setting as it was carried out.
WRITTEN_BY_RUN = "# What a run did, whole: training it again repeats the run.\n"
WRITTEN_BY_COMPARISON = "# What the runs have in common.\n"

# Booleans of YAML 1.1, which are words in 1.2.
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def load(path, overrides: Sequence[str] = (), seed: int | None = None) -> Config:
    """The config in the file `path` with `--set` overrides applied, in order, and checked.

    A key that does nothing is refused (see `idle`). One of the file that did something until an
    override came gives way to it: `algorithm.name=sgd` takes the rest of `algorithm` with it.

    `quantization`, when it is a path, `model.file` and, for arrays, `data.file` are looked for
    beside the config, then in the working directory, and made absolute; so is `data.dir`, in the
    working directory.

    Raises:
        InputError: anything is wrong; all that is wrong in one message, a line for each.
    """
    settings = Settings(path)
    stages = [copy.deepcopy(settings.values)]
    for assignment in overrides:
        settings.override(assignment)
        stages.append(copy.deepcopy(settings.values))
    if seed is not None:
        settings.set(("seed",), seed, "--seed")
    wrong = _take_out_idle(settings, stages)
    _resolve_paths(settings)
    try:
        config = Config.model_validate(settings.values)
    except ValidationError as error:
        raise InputError(
            "\n".join([*wrong, *(_explain(e, settings) for e in error.errors())])
        ) from error
    if wrong:
        raise InputError("\n".join(wrong))
    config._settings = settings
    _check_size(config)
    return config


def _check_size(config: Config) -> None:
    drawn = config.used("data")
    if drawn.get("samples", 0) * drawn.get("features", 0) > MOST_NUMBERS:
        raise InputError(
            f"{config.blame('data', 'samples, features')}: {drawn['samples']} samples of "
            f"{drawn['features']} features, expected at most {MOST_NUMBERS} numbers in all"
        )


def _take_out_idle(settings: Settings, stages: Sequence[dict]) -> list[str]:
    """Remove the keys that do nothing; a line for each that nobody can have meant.

    Args:
        stages: the values in the file, and after each override.
    """
    found = idle(settings.values)
    always = set.intersection(*(set(idle(stage)) for stage in stages)) if found else set()
    # Of former versions, which wrote the defaults of all algorithms.
    is_written = settings.text.startswith((WRITTEN_BY_RUN, WRITTEN_BY_COMPARISON))
    wrong = []
    for path, why in found.items():
        if settings.is_overridden(path) or path in always and not is_written:
            value = settings.values
            for part in path:
                value = value[part]
            wrong.append(f"{settings.subject(path)}: received {value!r}, {why}")
    settings.values = without(settings.values, found)
    return wrong


def _resolve_paths(settings: Settings) -> None:
    data = settings.values.get("data")
    if isinstance(data, dict) and isinstance(data.get("dir"), str):
        data["dir"] = os.path.abspath(os.path.expanduser(data["dir"]))
    _resolve(settings, ("quantization",), "map")
    _resolve(settings, ("model", "file"), "model")
    if isinstance(data, dict) and data.get("name") == "arrays":
        _resolve(settings, ("data", "file"), "data")


def _resolve(settings: Settings, path: tuple[str, ...], what: str) -> None:
    """Make the file's name at `path`, if there is one, absolute."""
    holder = settings.values
    for part in path[:-1]:
        holder = holder.get(part)
        if not isinstance(holder, dict):
            return
    name = holder.get(path[-1])
    if not isinstance(name, str):
        return
    candidates = [settings.path.parent / Path(name).expanduser(), Path(name).expanduser()]
    found = next((p for p in candidates if p.is_file()), None)
    if found is None:
        looked = " nor ".join(dict.fromkeys(map(str, candidates)))
        raise InputError(f"{settings.subject(path)}: no such {what} file: {looked}")
    holder[path[-1]] = os.path.abspath(found)


def _explain(error: dict, settings: Settings) -> str:
    """One line: origin, key path, what was received, what would be valid."""
    location = _location(error["loc"], settings.values)
    where, key = settings.origin(location), ".".join(map(str, location))
    subject = settings.subject(location)
    if error["type"] == "missing":
        return f"{where}: {key} is missing"
    if error["type"] == "extra_forbidden":
        fields = list(_fields_at(location[:-1]))
        return f"{where}: unknown key {key!r}{suggestion(location[-1], fields)}"
    if error["type"] == "model_type":
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


def _is_quoted_number(error: dict) -> bool:
    wants_number = error["type"] in ("int_type", "float_type") or "number" in error["msg"]
    if not (wants_number and isinstance(error["input"], str)):
        return False
    try:
        float(error["input"])
    except ValueError:
        return False
    return True


def _location(loc: tuple, values) -> list:
    """`loc` without the names that pydantic adds for the members of a union."""
    path = []
    for part in loc:
        if isinstance(values, dict) and part not in values and path and part != loc[-1]:
            continue
        if not isinstance(values, (dict, list)):
            break
        path.append(part)
        values = values.get(part) if isinstance(values, dict) else None
    return path


def _fields_at(path: Sequence) -> list[str]:
    model = Config
    for part in path:
        field = model.model_fields.get(part)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return list(Schedule.model_fields)
    return list(model.model_fields)
