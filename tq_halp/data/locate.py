"""The search for a data set's files: in which folders, and in which order."""

import os
from pathlib import Path

from tq_halp.data import download
from tq_halp.data.files import KnownSet
from tq_halp.errors import InputError


def locate(known: KnownSet, directory: str | os.PathLike | None = None) -> Path | None:
    """The folder that holds every file of `known`; None if there is none and none can be fetched.

    It searches `directory` alone if that is given, else `$TQ_HALP_DATA/<name>`,
    `../shared/data/<name>` beside a source checkout, and the user's cache; then it fetches into
    that cache.

    Raises:
        InputError: `directory` is given and lacks a file, or `$TQ_HALP_DATA` is no folder.
    """
    if directory is not None:
        return _given(known, Path(directory).expanduser())
    return on_this_machine(known) or download.fetch(known, cache_folder(known.name))


def on_this_machine(known: KnownSet) -> Path | None:
    """The folder that `locate` finds without fetching.

    Raises:
        InputError: `$TQ_HALP_DATA` is no folder.
    """
    candidates = (folder for folder in _candidates(known) if not known.missing_from(folder))
    return next(candidates, None)


def find(known: KnownSet, directory: str | os.PathLike | None = None) -> Path:
    """The folder that `locate` finds, for a set that no other can replace.

    Raises:
        InputError: as `locate`, or there is none.
    """
    folder = locate(known, directory)
    if folder is None:
        raise InputError(
            f"data.name: {known.name} was found neither on this machine nor on the network; put "
            f"{', '.join(file.name for file in known.files)} into {cache_folder(known.name)} or "
            "name their folder in data.dir"
        )
    return folder


def cache_folder(name: str) -> Path:
    """The user's cache for the set `name`, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tq_halp" / name


def _given(known: KnownSet, folder: Path) -> Path:
    missing = known.missing_from(folder)
    if missing:
        problem = f"lacks {' and '.join(missing)}" if folder.is_dir() else "is not a folder"
        wanted = " and ".join(file.name for file in known.files)
        raise InputError(
            f"data.dir: {folder} {problem}; give {known.name}'s folder, with {wanted} in it, "
            "or leave data.dir out to search and download"
        )
    return folder


def _candidates(known: KnownSet) -> list[Path]:
    folders = []
    if root := os.environ.get("TQ_HALP_DATA"):
        base = Path(root).expanduser()
        if not base.is_dir():
            raise InputError(f"TQ_HALP_DATA: {base} is not a folder; name the one with the data")
        folders += [base / folder for folder in known.folders]
    checkout = Path(__file__).resolve().parents[2]
    folders += [checkout.parent / "shared" / "data" / folder for folder in known.folders]
    folders.append(cache_folder(known.name))
    return folders
