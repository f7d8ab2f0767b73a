"""Files that are replaced in one step, so that none is ever half written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

#: Prefix of a file's name while it is written. A killed process leaves such a file behind.
UNFINISHED = ".writing-"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A context with a temporary path to write to; it becomes `path` if the block succeeds.

    The content is on the disk before it gets the name: after a crash of the machine `path` is the
    old file or the new one. After an exception `path` is unchanged.
    """
    temporary = path.with_name(
        UNFINISHED + path.name
    )  # Keeps the suffix: Keras tells the format by it.
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
