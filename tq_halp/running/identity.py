"""What makes two runs the same run: the settings and the data that decide its numbers."""

import hashlib
import json

from tq_halp.config import Config
from tq_halp.data import Dataset

# Where the data lies and how often a checkpoint is written changes no number.
_IRRELEVANT = ("data.dir", "train.checkpoint_every_steps")


def identity(config: Config, dataset: Dataset) -> dict:
    """Every setting by its full key, `config` being the resolved one, and the data's checksum."""
    digest = hashlib.sha256()
    for array in (*dataset.train, *dataset.validation):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    settings = json.loads(json.dumps(config.model_dump()))  # As a file would give them back.
    flat = {key: value for key, value in _flat(settings, "") if key not in _IRRELEVANT}
    return {**flat, "checksum of the data": digest.hexdigest()}


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
