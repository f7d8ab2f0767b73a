"""The newest checkpoints of a run: written completely, checked when read."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tq_halp.atomic_files import UNFINISHED
from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_format import DamagedError
from tq_halp.commands.running.run_identity import differences
from tq_halp.errors import InputError

_PATTERN = "step-*.checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run, and all that is needed to continue it."""

    #: The current epoch, from 0, and the number of its steps that are done.
    epoch: int
    step: int
    total_steps: int
    #: The rows of metrics.csv, and the seconds that the run has taken.
    rows: list[dict]
    seconds: float
    host_state: dict
    arrays: list[np.ndarray] = field(default_factory=list, repr=False)


class Checkpoints:
    """The checkpoints in a folder, of which the newest `keep` stay.

    Args:
        folder: the folder of this run alone.
        identity: what makes this run; a checkpoint with another identity is not used.
        mismatch: says why arrays do not fit this run; "" if they do.
        keep: number of files.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict,
        mismatch: Callable[[list[np.ndarray]], str] = lambda arrays: "",
        keep: int = 3,
    ):
        self.folder, self._identity, self._mismatch, self._keep = folder, identity, mismatch, keep

    def save(self, checkpoint: Checkpoint, arrays: list[Callable[[], np.ndarray]]) -> None:
        """Writes `checkpoint` with `arrays` in place of its own, and removes the oldest file.

        Args:
            arrays: functions that return one array each.
        """
        contents = asdict(checkpoint) | {"identity": self._identity}
        del contents["arrays"]
        path = self.folder / _PATTERN.replace("*", f"{checkpoint.total_steps:010d}")
        checkpoint_format.write(path, contents, arrays)
        self._remove_old()

    def newest(self) -> Checkpoint:
        """The newest checkpoint that is whole and of this run; warns of each newer one that is not.

        Raises:
            InputError: there is none.
        """
        objections = []
        for path in reversed(files(self.folder)):
            try:
                checkpoint = self._read(path)
            except DamagedError as error:
                objections.append(f"{path.name} {error}")
                continue
            for objection in objections:
                warnings.warn(f"checkpoint {objection}; using {path.name}", stacklevel=2)
            self._remove_unfinished()
            if not objections:  # Otherwise an older one may still be needed.
                self._remove_old()
            return checkpoint
        raise InputError(f"--resume: no checkpoint can be used: {'; '.join(objections)}")

    def _read(self, path: Path) -> Checkpoint:
        contents, arrays = checkpoint_format.read(path)
        different = differences(contents.pop("identity"), self._identity)
        if different:
            raise DamagedError(f"is of another run: {different}")
        reason = self._mismatch(arrays)
        if reason:
            raise DamagedError(reason)
        return Checkpoint(**contents, arrays=arrays)

    def _remove_old(self) -> None:
        for path in files(self.folder)[: -self._keep]:
            path.unlink()

    def _remove_unfinished(self) -> None:
        for path in self.folder.glob(UNFINISHED + "*"):
            path.unlink()


def files(folder: Path) -> list[Path]:
    """The checkpoint files in a folder, the oldest first."""
    return sorted(folder.glob(_PATTERN))
