"""Files that are never seen half written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

#: How the name of a file begins while it is written; a killed process leaves such a file behind.
UNFINISHED = ".writing-"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` in one step if the block ends without an exception.

    What was written is on the disk before it gets the name, so that even a machine that stops
    leaves the old file or the new one.
    """
    temporary = path.with_name(UNFINISHED + path.name)  # Keeps the ending: Keras decides by it.
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
