"""The weight files of Keras, each opened as one HDF5 file."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py

from tq_halp.errors import InputError

KINDS = "a .weights.h5, .weights.json, .keras or .h5 file of Keras"
_IN_ARCHIVE = "model.weights.h5"


def open_weights(path: str | Path) -> h5py.File:
    """A file of `save_weights` or `save`: HDF5, shards, an archive, or the archive's folder.

    Raises:
        InputError: the file does not exist, or is of another kind.
    """
    try:
        path = Path(path)
        return _open(path / _IN_ARCHIVE if path.is_dir() else path)
    except FileNotFoundError as error:
        raise InputError(f"{error}: no such file, expected {KINDS}") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not {KINDS}: {error}") from error


def _open(path: Path) -> h5py.File:
    if not path.exists():
        raise FileNotFoundError(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return h5py.File(io.BytesIO(archive.read(_IN_ARCHIVE)), "r")
    if path.suffix == ".json":
        return _merged(sorted({path.parent / name for name in _shards(path)}))
    return h5py.File(path, "r")


def _shards(path: Path) -> Iterator[str]:
    """The names of the files over which the weights are spread, from Keras' index file."""
    for names in json.loads(path.read_text())["weight_map"].values():
        yield from [names] if isinstance(names, str) else names


def _merged(paths: Iterable[Path]) -> h5py.File:
    whole = h5py.File(io.BytesIO(), "w")
    for path in paths:
        with _open(path) as shard:
            shard.visititems(lambda name, item: _copy(item, name, whole))
    return whole


def _copy(item: h5py.Group | h5py.Dataset, name: str, whole: h5py.File) -> None:
    if isinstance(item, h5py.Dataset):
        item.file.copy(item, whole, name)
    else:
        whole.require_group(name).attrs.update(item.attrs)
