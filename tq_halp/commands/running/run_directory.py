"""The files of a run directory; each is replaced in one step, so none is ever half written."""

import contextlib
import csv
import json
import math
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tq_halp.atomic_files import UNFINISHED, replacing
from tq_halp.commands.running.checkpoint_folder import files as checkpoint_files
from tq_halp.errors import InputError

if TYPE_CHECKING:
    import keras

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: The columns of metrics.csv. A cell is empty if the algorithm or the task has no such number.
COLUMNS = (
    "epoch",
    "step",
    "gradient_evaluations",
    "seconds",
    "train_loss",
    "val_loss",
    "val_perplexity",
    "train_accuracy",
    "val_accuracy",
    "full_gradient_norm",
    "scale",
    "saturated_fraction",
    "underflow_fraction",
    "mu",
    "variance_ratio",
    "residual",
)

#: The pictures; the second only for an algorithm that records diagnostics.
PICTURES = ("curves.png", "diagnostics.png")


class RunDirectory:
    """config.yaml, metrics.csv, summary.json, pictures, model.keras and checkpoints/ of one run.

    Args:
        path: created if necessary. Files of an unfinished run without a checkpoint are removed.
        resume: the run in `path` continues; nothing is removed.
        known: names of files in `path` that are known to be this run's.

    Raises:
        InputError: as `check_free`, or with `resume` as `check_resumable`; `path` cannot be
            created.
    """

    def __init__(self, path: str | os.PathLike, resume: bool = False, known: Collection[str] = ()):
        self.path = Path(path)
        self.rows: list[dict] = []
        #: Called with all rows whenever metrics.csv is written.
        self.on_rows: Callable[[list[dict]], None] = lambda rows: None
        if resume:
            check_resumable(self.path)
            return
        check_free(self.path, known)
        _make(self.checkpoints, self.path)
        self._clear()

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    def write_config(self, yaml: str) -> None:
        """Writes config.yaml."""
        with replacing(self.path / "config.yaml") as path:
            path.write_text(yaml, encoding="utf-8")

    def add_row(self, row: Mapping[str, float]) -> None:
        """Appends an evaluation to metrics.csv."""
        self.write_rows([*self.rows, {column: row.get(column) for column in COLUMNS}])

    def write_rows(self, rows: list[dict]) -> None:
        """Writes metrics.csv."""
        self.rows = rows
        with (
            replacing(self.path / "metrics.csv") as path,
            open(path, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        self.on_rows(self.rows)

    def write_summary(self, summary: Mapping) -> None:
        """Writes summary.json; NaN and infinities, which JSON lacks, become text."""
        with replacing(self.path / "summary.json") as path:
            text = json.dumps(_jsonable(summary), indent=2, allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")

    def save_model(self, model: "keras.Model") -> None:
        """Writes model.keras."""
        with replacing(self.path / "model.keras") as path:
            model.save(path)

    def _clear(self) -> None:
        shutil.rmtree(self.checkpoints)
        self.checkpoints.mkdir()
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        others = ("config.yaml", "metrics.csv", *PICTURES, "model.keras", "mlflow_run_id")
        # The summary last, because it marks the folder as that of a run.
        for name in (*others, "summary.json"):
            (self.path / name).unlink(missing_ok=True)


def check_free(path: Path, known: Collection[str] = ()) -> None:
    """Checks that a run may be written to `path`.

    Args:
        known: names of files there that do not matter.

    Raises:
        InputError: `path` is a file, or holds a run or other files.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"--run-dir {path}: is a file, expected a folder or a new name")
    status = status_of(path)
    if status not in (None, "running", "failed", "interrupted"):
        unreadable = "a run whose summary.json cannot be read"
        held = unreadable if status == "unreadable" else f"a {status} run already"
        raise InputError(f"--run-dir {path}: holds {held}; name another or remove it")
    if checkpoint_files(path / "checkpoints"):
        raise InputError(
            f"--run-dir {path}: holds an unfinished run; continue it with --resume, name another "
            "folder, or remove it"
        )
    entries = path.iterdir() if status is None and path.is_dir() else ()
    if any(_is_foreign(entry) for entry in entries if entry.name not in known):
        raise InputError(f"--run-dir {path}: is not empty and holds no run; name another")


def check_resumable(path: Path) -> None:
    """Checks that `path` holds an unfinished run with a checkpoint.

    Raises:
        InputError: it does not.
    """
    if status_of(path) == "finished":
        raise InputError(f"--resume: the run in {path} is finished; there is nothing to continue")
    if not checkpoint_files(path / "checkpoints"):
        raise InputError(
            f"--resume: {path} holds no checkpoint; start the run without --resume, or name the "
            "folder of a run"
        )


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Locks a folder, which is created if necessary, against other processes while the block runs.

    The operating system holds the lock: it ends with the process and leaves no file.

    Raises:
        InputError: another process holds it, or the folder cannot be created.
    """
    _make(path, path)
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # Some network file systems cannot lock folders.
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"--run-dir {path}: another process is training there; wait for it, or name "
                    "another folder"
                ) from error
        yield
    finally:
        os.close(descriptor)


def _make(path: Path, run_dir: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--run-dir {run_dir}: cannot be created: {error.strerror}") from error


def status_of(path: Path) -> str | None:
    """The status in a folder's summary.json; None without one, "unreadable" if damaged."""
    try:
        return json.loads((path / "summary.json").read_text(encoding="utf-8"))["status"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError):
        return "unreadable"


def _is_foreign(entry: Path) -> bool:
    """Whether an entry is none of those that a run has before it writes its first summary."""
    ours = entry.name in ("checkpoints", "mlflow_run_id")
    return not (ours or entry.name.startswith(UNFINISHED))


def _jsonable(value: Any) -> Any:
    """`value` with text in place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
