"""A lock on the folder of a comparison: one comparison at a time."""

import os
import time
from pathlib import Path

from tq_halp.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None  # type: ignore[assignment]

#: Seconds to wait for the runs of a killed comparison, which write checkpoints.
PATIENCE = 60.0


class FolderLock:
    """Locks a folder while this process, or any process that inherits `descriptor`, lives.

    The operating system holds the lock, however the processes end. So the runs of a killed
    comparison still hold it; entering waits until they have stopped, PATIENCE seconds at most.

    Args:
        folder: an existing folder.

    Raises:
        InputError: another comparison holds the lock.
    """

    def __init__(self, folder: Path):
        self._path = folder / "lock"
        #: The file descriptor of the lock, which processes inherit.
        self.descriptor = -1

    def __enter__(self) -> "FolderLock":
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        end = time.monotonic() + PATIENCE
        while not _try(self.descriptor):
            owner = self._path.read_text("ascii", "replace").strip()
            if _is_alive(owner) or time.monotonic() > end:
                os.close(self.descriptor)
                raise InputError(
                    f"--run-dir {self._path.parent}: another comparison is running there (process "
                    f"{owner}); wait for it, or name another folder"
                )
            time.sleep(0.1)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


def _try(descriptor: int) -> bool:
    """Takes the lock; False if another process holds it."""
    try:
        if fcntl is None:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):
        return False


def _is_alive(owner: str) -> bool:
    """Whether the process with that number, as text, is alive."""
    try:
        os.kill(int(owner), 0)
        return True
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
