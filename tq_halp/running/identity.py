"""What makes two runs the same run: the settings and the data that decide its numbers."""

import hashlib
import json

from tq_halp.config import Config
from tq_halp.data import Dataset
from tq_halp.settings import Settings

# Where the data lies and how often a checkpoint is written changes no number.
_IRRELEVANT = ("data.dir", "train.checkpoint_every_steps")


def identity(config: Config, dataset: Dataset) -> dict:
    """Every setting by its full key, `config` being the resolved one, and the data's checksum."""
    digest = hashlib.sha256()
    for array in (*dataset.train, *dataset.validation, *(dataset.test or ())):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return {**settings(config), "checksum of the data": digest.hexdigest()}


def settings(config: Config) -> dict:
    """Every setting that decides the numbers by its full key; a map by what it says."""
    values = json.loads(json.dumps(with_map(config).model_dump()))  # As a file would give them.
    return {key: value for key, value in _flat(values, "") if key not in _IRRELEVANT}


def with_map(config: Config) -> Config:
    """`config` with the content of its map's file in place of the path.

    Raises:
        InputError: the file is missing or no YAML.
    """
    if not isinstance(config.quantization, str):
        return config
    return config.model_copy(update={"quantization": Settings(config.quantization).values})


def differences(theirs: dict, ours: dict) -> str:
    """What differs, in words; empty if nothing does."""
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return ", ".join(f"{key} {theirs.get(key)!r}, here {ours.get(key)!r}" for key in keys)


def _flat(value, key: str):
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value
