"""From a file to a config."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tq_halp.config.schema import Config
from tq_halp.config.schema_errors import explain
from tq_halp.config.unused_keys import idle, without
from tq_halp.config.value_types import MOST_NUMBERS
from tq_halp.errors import InputError
from tq_halp.settings_with_origins import Settings

#: How a file begins that a run, or a comparison, wrote: every setting as it was carried out.
WRITTEN_BY_RUN = "# What a run did, whole: training it again repeats the run.\n"
WRITTEN_BY_COMPARISON = "# What the runs have in common.\n"


def load(path: str | Path, overrides: Sequence[str] = (), seed: int | None = None) -> Config:
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
            "\n".join([*wrong, *(explain(e, settings) for e in error.errors())])
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
