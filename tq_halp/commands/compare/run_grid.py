"""The runs of a comparison: tuning grids, then every seed with the chosen values."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tq_halp import config as configs
from tq_halp.atomic_files import UNFINISHED, replacing
from tq_halp.commands.compare import budget_plan
from tq_halp.commands.compare.candidates import Candidate, Tuned
from tq_halp.commands.compare.compared_run import FINISHED, Run
from tq_halp.commands.compare.statistics import Mean, mean_of
from tq_halp.commands.running import run_identity
from tq_halp.commands.running.metrics import points
from tq_halp.config import Config
from tq_halp.config.schema import to_yaml
from tq_halp.errors import InputError

#: The file of the common settings; it marks the folder of a comparison.
COMMON = "compare.yaml"
# Prefixes of the keys that differ between runs.
_OF_RUNS = ("seed", "algorithm.")


@dataclass(frozen=True)
class Comparison:
    """What is compared, and the folder of the results.

    Args:
        folder: of the whole comparison.
        config_path: the config file.
        shared: settings for all candidates, as "key=value".
        common: the config with these settings, once for each algorithm.
        seeds: of the compared runs.
        tune_seeds: of the runs on a grid: each combination of values is run with each.
        tune_by: the validation loss that chooses: "final", or "best" over the epochs.
        baseline: the label that the others are compared with.
        plan: the epochs of the runs under a budget; None: as the settings say.
    """

    folder: Path
    config_path: str
    shared: tuple[str, ...]
    common: tuple[Config, ...] = field(repr=False)
    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]
    tune_seeds: tuple[int, ...]
    tune_by: str
    baseline: str
    plan: budget_plan.Plan | None = None

    def grid(self, candidate: Candidate) -> list[Run]:
        """The runs for tuning a candidate."""
        return [run for runs in self.tries(candidate).values() for run in runs]

    def tries(self, candidate: Candidate) -> dict[Tuned, list[Run]]:
        """Combination of values -> its runs, one per tuning seed; empty if nothing is tuned."""
        if not candidate.grid:
            return {}
        return {
            tuned: [self._run(candidate, seed, tuned, is_tuning=True) for seed in self.tune_seeds]
            for tuned in candidate.choices()
        }

    def choice(self, candidate: Candidate) -> Tuned | None:
        """The values with the lowest mean validation loss.

        None if each combination of values has a run that did not finish.
        """
        scores = {tuned: self.score(runs) for tuned, runs in self.tries(candidate).items()}
        finished = {tuned: score.value for tuned, score in scores.items() if score is not None}
        return min(finished, key=finished.__getitem__, default=None)

    def score(self, runs: Sequence[Run]) -> Mean | None:
        """The mean validation loss, by `tune_by`, of some runs; None if one did not finish."""
        outcomes = [run.outcome() for run in runs]
        curves = [[y for _, y in points(o.rows, "epoch", "val_loss")] for o in outcomes]
        if not all(curves) or any(outcome.status != FINISHED for outcome in outcomes):
            return None
        return mean_of([c[-1] if self.tune_by == "final" else min(c) for c in curves])

    def chosen(self, candidate: Candidate) -> list[Run]:
        """The compared runs of a candidate, one per seed; none if tuning chose no values."""
        tuned = self.choice(candidate) if candidate.grid else ()
        if tuned is None:
            return []
        return [self._run(candidate, seed, tuned) for seed in self.seeds]

    def wanted(self, is_over: Callable[[Run], bool]) -> list[Run]:
        """The runs that are known to be needed. The end of a candidate's grid adds more."""
        grids = {candidate: self.grid(candidate) for candidate in self.candidates}
        found = [run for runs in itertools.zip_longest(*grids.values()) for run in runs if run]
        decided = [e for e in self.candidates if all(is_over(run) for run in grids[e])]
        # By seed first, so that an interrupted comparison has as many seeds for each candidate.
        rest = itertools.zip_longest(*(self.chosen(candidate) for candidate in decided))
        found += [run for runs in rest for run in runs if run]
        return list(dict.fromkeys(found))

    def check(self) -> None:
        """Checks the settings of all runs, and that the folder holds no other comparison.

        Raises:
            InputError: a setting is wrong, or the folder holds something else.
        """
        runs = self.wanted(lambda run: run.outcome().is_final)
        for run in runs:
            run.config()
        self._check_folder()
        for run in runs:
            run.check()

    def _check_folder(self) -> None:
        path = self.folder / COMMON
        if path.exists():
            budget_plan.check_recorded(self.folder, self.plan)
            of_runs = _OF_RUNS if self.plan is None else (*_OF_RUNS, "train.epochs")
            # Each run checks its own `algorithm` section.
            theirs, ours = (
                {k: v for k, v in run_identity.settings(c).items() if not k.startswith(of_runs)}
                for c in (configs.load(path), self.common[0])
            )
            found = run_identity.differences(theirs, ours)
            if found:
                raise InputError(
                    f"--run-dir {self.folder}: holds a comparison with other settings: {found}; "
                    "name another folder"
                )
        elif self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"--run-dir {self.folder}: is a file, expected a folder or a new name")
        elif self.folder.is_dir() and any(map(_is_foreign, self.folder.iterdir())):
            raise InputError(
                f"--run-dir {self.folder}: is not empty and holds no comparison; name another"
            )

    def write_common(self) -> None:
        """Writes the plan, then `compare.yaml`, which marks the folder as that of a comparison."""
        if self.plan is not None:
            self.plan.write(self.folder)
        with replacing(self.folder / COMMON) as path:
            path.write_text(configs.WRITTEN_BY_COMPARISON + self.common_yaml(), "utf-8")

    def common_yaml(self) -> str:
        """`common` as YAML, with the content of its map and the checksums of its files.

        `algorithm` holds the keys that have an effect for any of the algorithms.
        """
        return to_yaml(self._common_values())

    def _common_values(self) -> dict[str, Any]:
        first, *_ = self.common
        values = run_identity.with_files(first).model_dump()
        for config in self.common:
            values["algorithm"] |= config.used("algorithm")
        return values

    def shown_settings(self) -> str:
        """`common_yaml` without the epochs where a plan decides them."""
        values = self._common_values()
        if self.plan is not None:
            values["train"] = {k: v for k, v in values["train"].items() if k != "epochs"}
        return to_yaml(values)

    def _run(self, candidate: Candidate, seed: int, tuned: Tuned, is_tuning: bool = False) -> Run:
        plan, tuned = self.plan, tuple(tuned)
        epochs = None if plan is None else plan.epochs(candidate.label, tuned, is_tuning)
        return Run(candidate, seed, tuned, self.config_path, self.folder, epochs)


def _is_foreign(entry: Path) -> bool:
    """Whether an entry is none of those that a comparison has before it writes COMMON."""
    return entry.name not in ("lock", budget_plan.FILE) and not entry.name.startswith(UNFINISHED)


def default_folder(config_path: str) -> Path:
    """The folder without --run-dir.

    It is the same for the same config, so that a repeated command continues.
    """
    return Path("runs") / f"compare-{os.path.splitext(os.path.basename(config_path))[0]}"
