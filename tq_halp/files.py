"""Files that are never seen half written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` in one step if the block ends without an exception."""
    temporary = path.with_name(f".writing-{path.name}")  # Keeps the ending: Keras decides by it.
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
