"""The committed rows, one for each run that is over: a CSV file of a task and a setting."""

import csv
import pathlib
from dataclasses import astuple, dataclass, fields

from tq_halp.atomic_files import replacing
from tq_halp.errors import InputError

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
TUNE, COMPARE = "tune", "compare"
FINISHED, DIVERGED = "finished", "diverged"


@dataclass(frozen=True)
class Row:
    """A run, all cells as text.

    label, algorithm: of the candidate.
    stage: TUNE or COMPARE.
    tuned: the values that were tried or chosen, "key=value, ...".
    seed: of the run.
    status: FINISHED or DIVERGED; what follows it is empty for the latter where there is none.
    epochs: that the budget bought.
    passes: over the training data, the gradients that were taken.
    train_loss: of the final weights on all training examples.
    val_loss, val_metric: of the final weights on the validation examples.
    test_metric: of the final weights on the test examples.
    seconds: of the training.
    settings: what the run was given on top of the config, "key=value; ...".
    versions, machine: what made it.
    """

    label: str
    algorithm: str
    stage: str
    tuned: str
    seed: str
    status: str
    epochs: str
    passes: str
    train_loss: str
    val_loss: str
    val_metric: str
    test_metric: str
    seconds: str
    settings: str
    versions: str
    machine: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What no two rows share; rows are sorted by it."""
        return self.label, self.stage, self.tuned, int(self.seed)

    def number(self, column: str) -> float | None:
        """A cell as a number; None of an empty one, and of a run that diverged."""
        text = getattr(self, column)
        return float(text) if text and self.status == FINISHED else None


COLUMNS = tuple(each.name for each in fields(Row))


class ResultRows:
    """The rows of one file, which need not exist.

    Raises:
        InputError: the file holds other columns, or a run twice.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self._rows: dict[tuple, Row] = {}
        for line, row in enumerate(_read(path), start=2):
            if row.key in self._rows:
                raise InputError(f"{path}:{line}: the run of an earlier row; remove one of them")
            self._rows[row.key] = row

    def __iter__(self):
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, label: str, stage: str, tuned: str, seed: int) -> Row | None:
        """The row of a run, or None."""
        return self._rows.get((label, stage, tuned, seed))

    def add(self, row: Row) -> None:
        """Adds a row and replaces the file in one step; the rows are sorted.

        Raises:
            InputError: a row of that run is there.
        """
        if row.key in self._rows:
            raise InputError(f"{self.path}: has a row of {row.key} already")
        rows = {**self._rows, row.key: row}
        self._rows = {key: rows[key] for key in sorted(rows)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(self.path) as path,
            open(path, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(map(astuple, self._rows.values()))


def of_task(name: str, setting: str) -> ResultRows:
    """The committed rows of a task."""
    return ResultRows(FOLDER / f"{name}-{setting}.csv")


def _read(path: pathlib.Path) -> list[Row]:
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
        if tuple(head) != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
            raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}")
        return [Row(*line) for line in lines]
