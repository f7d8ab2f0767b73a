"""One run of a comparison: its settings, its folder, and how far it is."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tq_halp import config as configs
from tq_halp.commands.compare.candidates import Candidate, Tuned, chosen_by
from tq_halp.commands.running import run_identity
from tq_halp.config import Config
from tq_halp.errors import InputError

FINISHED, DIVERGED, FAILED, UNFINISHED, MISSING = (
    "finished",
    "diverged",
    "failed",
    "unfinished",
    "missing",
)


@dataclass(frozen=True)
class Outcome:
    """How far a run is, as its folder shows.

    status: "finished"; "diverged": it would diverge again; "failed": another try may succeed;
        "unfinished": running, stopped or killed; "missing": never started.
    rows: the rows of metrics.csv, with cells as text.
    summary: the content of summary.json.
    """

    status: str
    rows: tuple[Mapping[str, str], ...] = ()
    summary: Mapping = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether running it again would change nothing."""
        return self.status in (FINISHED, DIVERGED)


@dataclass(frozen=True)
class Run:
    """A candidate with one seed and one choice of the tuned values."""

    candidate: Candidate
    seed: int
    tuned: Tuned
    config_path: str
    #: The folder of the comparison.
    folder: Path
    #: What a budget buys; None: as the settings say.
    epochs: int | None = None

    @property
    def label(self) -> str:
        """The candidate's label."""
        return self.candidate.label

    @property
    def name(self) -> str:
        """The name of its folder: label, seed and tuned values."""
        return "-".join([f"{self.label}-seed{self.seed}", *map(_word, self.values)])

    @property
    def values(self) -> list[str]:
        """The tuned values as "key=value", with short keys where they are distinct."""
        short = [key.split(".")[-1] for key, _ in self.tuned]
        names = short if len(set(short)) == len(short) else [key for key, _ in self.tuned]
        return [f"{n}={value}" for n, (_, value) in zip(names, self.tuned, strict=True)]

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.folder / "runs" / self.name

    @property
    def log(self) -> Path:
        """The file with the output of its processes."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def overrides(self) -> list[str]:
        """The arguments of --set on its command line.

        Each compared algorithm is named first, so that the config may hold keys of all of them.
        """
        *others, _ = chosen_by([*self.candidate.beside, self.candidate.algorithm])
        bought = [] if self.epochs is None else [f"train.epochs={self.epochs}"]
        return [*others, *self.candidate.overrides(self.tuned), *bought]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the train command that starts or resumes it."""
        found = ["--config", self.config_path, "--seed", str(self.seed)]
        for setting in self.overrides:
            found += ["--set", setting]
        return [*found, "--run-dir", str(self.path), "--resume"]

    def outcome(self) -> Outcome:
        """Reads the outcome from the folder.

        Raises:
            InputError: summary.json cannot be read.
        """
        try:
            summary = json.loads((self.path / "summary.json").read_text(encoding="utf-8"))
            status = summary["status"]
        except (FileNotFoundError, NotADirectoryError):
            return Outcome(MISSING)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{self.path / 'summary.json'}: cannot be read; remove it") from error
        if status == "failed" and "traceback" not in summary:
            status = DIVERGED
        known = (FINISHED, DIVERGED, FAILED)
        rows = _rows(self.path / "metrics.csv")
        return Outcome(status if status in known else UNFINISHED, rows, summary)

    def reason(self, outcome: Outcome) -> str:
        """Why it did not finish: the error in its summary, else the last line of its output."""
        try:
            said = self.log.read_text("utf-8", "replace").split("\n")
        except FileNotFoundError:
            said = []
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return outcome.summary.get("error") or last.removeprefix("error: ")

    def config(self) -> Config:
        """The config that it trains.

        Raises:
            InputError: a setting is wrong.
        """
        try:
            return configs.load(self.config_path, self.overrides, self.seed)
        except InputError as error:
            raise InputError(f"{self.label}: {error}") from error

    def check(self) -> None:
        """Checks its settings, and that the folder holds no run with other settings.

        Raises:
            InputError: a setting is wrong, or the folder holds another run.
        """
        ours = run_identity.settings(self.config())
        path = self.path / "config.yaml"
        outcome = self.outcome()
        if outcome.status == MISSING or not path.exists():
            return
        theirs = run_identity.settings(configs.load(path))
        if outcome.summary["dataset"]["fallback"]:  # config.yaml names the set that was used.
            theirs["data.name"] = outcome.summary["dataset"]["requested"]
        found = run_identity.differences(theirs, ours)
        if found:
            raise InputError(
                f"--run-dir: {self.path} was made with other settings: {found}; name another "
                "--run-dir, or remove that run"
            )


def _rows(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of a CSV file; none if it does not exist."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return tuple(csv.DictReader(file))
    except FileNotFoundError:
        return ()


def _word(value: str) -> str:
    """Text as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9.+=_-]+", "_", value)
