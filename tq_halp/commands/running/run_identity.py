"""The identity of a run: the settings and the data that determine its numbers."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tq_halp.config import Config
from tq_halp.config.sections import KEYS, NAMED
from tq_halp.config.unused_keys import idle
from tq_halp.data import Dataset
from tq_halp.data.files import sha256_of
from tq_halp.settings_with_origins import Settings

# Keys that change no number.
_IRRELEVANT = ("data.dir", "train.checkpoint_every_steps")
# Sections that may name a user's file -> the value of `name` in that case.
_WITH_FILE = {"data": "arrays", "model": "file"}


def identity(config: Config, dataset: Dataset) -> dict:
    """Full key -> value of every setting, as the run uses it, and the checksum of the data."""
    digest = hashlib.sha256()
    for array in (*dataset.train, *dataset.validation, *(dataset.test or ())):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return {**settings(resolved(config, dataset)), "checksum of the data": digest.hexdigest()}


def settings(config: Config) -> dict:
    """Full key -> value of every setting that changes the numbers; a file counts by its content."""
    values = json.loads(
        json.dumps(with_files(config).model_dump())
    )  # As they are read from a file.
    for section in _WITH_FILE:
        if values[section].get("sha256") is not None:
            del values[section]["file"]
    return {key: value for key, value in _flat(values, "") if key not in _IRRELEVANT}


def with_files(config: Config) -> Config:
    """`config` with the content of its map's file, and with the checksums of other files.

    Raises:
        InputError: a file is missing, or the map is no YAML.
    """
    found = {}
    if isinstance(config.quantization, str):
        found["quantization"] = Settings(config.quantization).values
    for section, name in _WITH_FILE.items():
        part = getattr(config, section)
        if part.name == name and part.file is not None and part.sha256 is None:
            found[section] = part.model_copy(update={"sha256": sha256_of(part.file)})
    return config.model_copy(update=found)


def resolved(config: Config, dataset: Dataset) -> Config:
    """`config` as the run uses it: as `with_files`, with the name of the data that were used."""
    config = with_files(config)
    if not dataset.is_fallback:
        return config
    kind = NAMED["data"][dataset.name]
    known = {key: value for key, value in config.data if key in KEYS["data"][dataset.name]}
    return config.model_copy(update={"data": kind(**known)})


def differences(theirs: dict, ours: dict) -> str:
    """The differences of two identities as text; "" if there are none.

    Args:
        theirs: may come from an earlier version, which kept settings without effect.
        ours: of this run.
    """
    theirs = _what_does_something(theirs)
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return ", ".join(f"{key} {theirs.get(key)!r}, here {ours.get(key)!r}" for key in keys)


def _what_does_something(flat: dict) -> dict:
    """The settings without those that have no effect."""
    sections: dict = {}
    for key, value in flat.items():
        *path, name = key.split(".")
        if path and path[0] in KEYS:
            section = sections
            for part in path:
                section = section.setdefault(part, {})
            section[name] = value
    unused = [".".join(path) for path in idle(sections)]
    return {
        key: value
        for key, value in flat.items()
        if not any(key == name or key.startswith(name + ".") for name in unused)
    }


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """(full key, value) of nested mappings."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value
