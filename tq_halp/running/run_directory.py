"""What a run leaves behind, complete at every moment: no file is ever seen half written."""

import csv
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tq_halp.errors import InputError
from tq_halp.files import replacing

#: Columns of metrics.csv; a cell that an algorithm or a task has no number for is empty.
COLUMNS = (
    "epoch",
    "step",
    "gradient_evaluations",
    "seconds",
    "train_loss",
    "val_loss",
    "val_perplexity",
    "full_gradient_norm",
    "scale",
    "saturated_fraction",
    "mu",
)


class RunDirectory:
    """config.yaml, metrics.csv, summary.json, curves.png, model.keras and checkpoints/ of one run.

    Args:
        path: created if need be. What an unfinished run left there is removed.

    Raises:
        InputError: it holds a finished run, or files that no run wrote; or cannot be created.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        check_free(self.path)
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--run-dir {path}: cannot be created: {error.strerror}") from error
        self._clear()
        self.rows: list[dict] = []

    @property
    def checkpoints(self) -> Path:
        """Folder of the last weights."""
        return self.path / "checkpoints"

    def write_config(self, yaml: str) -> None:
        """Write config.yaml."""
        with replacing(self.path / "config.yaml") as path:
            path.write_text(yaml, encoding="utf-8")

    def add_row(self, row: Mapping[str, float]) -> None:
        """Append one evaluation to metrics.csv."""
        self.rows.append({column: row.get(column) for column in COLUMNS})
        with (
            replacing(self.path / "metrics.csv") as path,
            open(path, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)

    def write_summary(self, summary: Mapping) -> None:
        """Write summary.json; "nan" and "inf" are words there, for JSON has no such numbers."""
        with replacing(self.path / "summary.json") as path:
            text = json.dumps(_jsonable(summary), indent=2, allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")

    def save_model(self, model) -> None:
        """Write model.keras."""
        with replacing(self.path / "model.keras") as path:
            model.save(path)

    def save_checkpoint(self, model, epoch: int, keep: int = 2) -> None:
        """Write the weights after `epoch`; all but the last `keep` files go."""
        with replacing(self.checkpoints / f"epoch-{epoch:04d}.weights.h5") as path:
            model.save_weights(path)
        for old in sorted(self.checkpoints.glob("epoch-*.weights.h5"))[:-keep]:
            old.unlink()

    def _clear(self) -> None:
        for name in ("config.yaml", "metrics.csv", "summary.json", "curves.png", "model.keras"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.checkpoints)
        self.checkpoints.mkdir()


def check_free(path: Path) -> None:
    """Raise InputError if a run may not be written to `path`."""
    if path.exists() and not path.is_dir():
        raise InputError(f"--run-dir {path}: is a file, expected a folder or a new name")
    summary = path / "summary.json"
    if summary.is_file():
        try:
            status = json.loads(summary.read_text(encoding="utf-8")).get("status")
        except (ValueError, AttributeError):
            status = "unreadable"
        if status not in ("running", "failed", "interrupted"):
            raise InputError(
                f"--run-dir {path}: holds a {status} run already; name another or remove it"
            )
    elif path.is_dir() and any(entry.name != "checkpoints" for entry in path.iterdir()):
        raise InputError(f"--run-dir {path}: is not empty and holds no run; name another")


def _jsonable(value):
    if isinstance(value, Mapping):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
