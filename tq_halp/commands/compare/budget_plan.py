"""The epochs of each run under a budget, kept in the folder, and the table of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tq_halp.atomic_files import replacing
from tq_halp.commands.compare import bought_epochs
from tq_halp.commands.compare.bought_epochs import Bought
from tq_halp.commands.compare.candidates import Candidate, Tuned
from tq_halp.commands.compare.compared_run import Run
from tq_halp.commands.compare.text_and_tables import Table
from tq_halp.commands.running import run_identity
from tq_halp.errors import InputError

#: The file of a plan; what a label costs is not asked twice.
FILE = "budget.json"
# Settings that do not change the cost of an epoch.
_FREE = ("optimizer.", "seed", "train.epochs")


@dataclass(frozen=True)
class Length:
    """What the budgets buy a run, by its label and tuned values.

    steps_per_epoch: minibatches of an epoch.
    run, tuning: epochs of a compared run, and of a tuning run.
    """

    steps_per_epoch: int
    run: Bought
    tuning: Bought


@dataclass(frozen=True)
class Plan:
    """Budgets in passes over the training data, and the length of each run.

    Args:
        passes: of a compared run.
        tuning_passes: of a tuning run.
        lengths: by label and tuned values.
        costs: what FILE holds of the lengths, by the settings that they depend on.
    """

    passes: float
    tuning_passes: float
    lengths: Mapping[tuple[str, Tuned], Length] = field(repr=False)
    costs: Mapping[str, Any] = field(repr=False)

    def epochs(self, label: str, tuned: Tuned, is_tuning: bool) -> int:
        """The epochs of a run."""
        found = self.lengths[label, tuned]
        return (found.tuning if is_tuning else found.run).epochs

    def write(self, folder: Path) -> None:
        """Writes FILE."""
        content = {"passes": self.passes, "tuning_passes": self.tuning_passes, "costs": self.costs}
        with replacing(folder / FILE) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def plan(
    budget: tuple[float, float], candidates: Sequence[Candidate], config_path: str, folder: Path
) -> Plan:
    """The plan of a comparison: from FILE, and what is not there from a process of TensorFlow's.

    Args:
        budget: of a compared and of a tuning run.
        candidates, config_path, folder: of the comparison.

    Raises:
        InputError: a setting is wrong, or the budget does not buy a label one epoch.
    """
    runs = {
        (candidate.label, tuned): Run(candidate, 0, tuned, config_path, folder)
        for candidate in candidates
        for tuned in candidate.choices()
    }
    keys = {of: _key(run) for of, run in runs.items()}
    recorded = _recorded(folder)
    costs = dict(recorded["costs"]) if recorded and _budget_of(recorded) == budget else {}
    missing = {key: runs[of] for of, key in keys.items() if key not in costs}
    if missing:
        asked = [(run.label, run.config_path, run.overrides) for run in missing.values()]
        costs |= dict(zip(missing, bought_epochs.ask_for(asked, budget), strict=True))
    lengths = {}
    for of, key in keys.items():
        one, other = (Bought(*each) for each in costs[key]["bought"])
        lengths[of] = Length(costs[key]["steps_per_epoch"], one, other)
    _check_bought(lengths, budget)
    return Plan(*budget, lengths, costs)


def _key(run: Run) -> str:
    """The settings of a run that its cost depends on, in short."""
    settings = run_identity.settings(run.config())
    costly = {key: value for key, value in settings.items() if not key.startswith(_FREE)}
    return hashlib.sha256(json.dumps(costly, sort_keys=True).encode()).hexdigest()


def _recorded(folder: Path) -> Mapping[str, Any] | None:
    """The content of FILE; None without one."""
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / FILE}: cannot be read; remove it") from error


def _budget_of(recorded: Mapping[str, Any]) -> tuple[float, float]:
    return recorded["passes"], recorded["tuning_passes"]


def check_recorded(folder: Path, plan: Plan | None) -> None:
    """Checks that the comparison in a folder has the same budget.

    Raises:
        InputError: it has another one, or only one of them has one.
    """
    recorded = _recorded(folder)
    theirs = _budget_of(recorded) if recorded else None
    ours = (plan.passes, plan.tuning_passes) if plan else None
    if theirs != ours:
        raise InputError(
            f"--run-dir {folder}: holds a comparison {_said(theirs)}, here {_said(ours)}; name "
            "another folder"
        )


def _said(budget: tuple[float, float] | None) -> str:
    """The budgets as options."""
    if budget is None:
        return "without --budget"
    passes, tuning = budget
    more = "" if tuning == passes else f" --tune-budget {tuning:g}"
    return f"with --budget {passes:g}{more}"


def _check_bought(lengths: Mapping[tuple[str, Tuned], Length], budget: tuple[float, float]) -> None:
    """InputError naming the labels for which a budget does not buy one epoch."""
    options = ("--budget", budget[0], "run"), ("--tune-budget", budget[1], "tuning")
    for option, passes, kind in options:
        small = {
            label: getattr(length, kind).passes
            for (label, _), length in lengths.items()
            if not getattr(length, kind).is_within(passes)
        }
        if small:
            each = ", ".join(f"{label} {needed:.10g}" for label, needed in small.items())
            raise InputError(
                f"{option} {passes:g}: does not buy one epoch, which costs in passes over the "
                f"training data: {each}; expected {max(small.values()):.10g} or more"
            )


def table(plan: Plan, candidates: Sequence[Candidate]) -> Table:
    """A row for each label; several if tuned values change its cost."""
    is_shorter = plan.tuning_passes != plan.passes
    head = ["label", "steps per epoch", "epochs", "steps", "planned passes over the data"]
    head += ["epochs of a tuning run", "planned passes of it"] if is_shorter else []
    rows = []
    for candidate in candidates:
        by_length: dict[Length, list[Tuned]] = {}
        for tuned in candidate.choices():
            by_length.setdefault(plan.lengths[candidate.label, tuned], []).append(tuned)
        for length, tried in by_length.items():
            run, tuning = length.run, length.tuning
            values = [" ".join(f"{key}={value}" for key, value in each) for each in tried]
            name = (
                candidate.label
                if len(by_length) == 1
                else f"{candidate.label}: {', '.join(values)}"
            )
            steps = run.epochs * length.steps_per_epoch
            row = [name, f"{length.steps_per_epoch}", f"{run.epochs}", f"{steps}"]
            row += [f"{run.passes:.6g}"]
            row += [f"{tuning.epochs}", f"{tuning.passes:.6g}"] if is_shorter else []
            rows.append(row)
    return Table(tuple(head), rows)
