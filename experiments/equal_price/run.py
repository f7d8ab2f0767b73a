"""Algorithms at equal numbers of gradients: trains what is missing: see README.md.

    python -m experiments.equal_price.run mnist                            all of it, hours
    python -m experiments.equal_price.run mnist --setting plain --minutes 90
    python -m experiments.equal_price.run mnist --quick                    a minute; changes nothing

The same command continues, also on another machine: a run whose row is in ``results/`` is over.
"""

import argparse
import dataclasses
import os
import pathlib
import runpy
import sys
import time
from collections.abc import Callable, Sequence

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments.comparison_experiment import ONE_THREAD
from experiments.equal_price import tables
from experiments.equal_price.candidates import SETTINGS
from experiments.equal_price.measured_run import MeasuredRun
from experiments.equal_price.result_rows import TUNE, ResultRows, of_task
from experiments.equal_price.standing import Standing
from experiments.equal_price.tasks import TASKS, Task, Tiers
from tq_halp.commands.compare import budget_plan, process_pool
from tq_halp.commands.compare.candidates import Candidate, Tuned, assignment
from tq_halp.commands.compare.compared_run import Run
from tq_halp.commands.compare.folder_lock import FolderLock
from tq_halp.commands.exit_status import FAILED, FINISHED, INTERRUPTED, answer
from tq_halp.commands.running.interrupt import StopOnSignal
from tq_halp.errors import InputError

WORKER = "experiments.equal_price.worker"
#: SWALP averages the iterates of the last quarter of its run.
AVERAGED_FROM = 0.75


class Work:
    """The runs of a task that are missing: for ``process_pool`` both source and observer.

    Args:
        standing: the task and its rows; each run that is over adds one.
        plan: what the budgets buy.
        folder: of the runs.
    """

    def __init__(self, standing: Standing, plan: budget_plan.Plan, folder: pathlib.Path):
        self.standing, self.plan, self.folder = standing, plan, folder

    def wanted(self, is_over: Callable[[Run], bool]) -> list[Run]:
        """The runs without a row that can be named now, in the order of importance."""
        return [self._run(*each) for each in self.standing.missing()]

    def collect(self) -> None:
        """Adds the rows of runs that were over when an earlier command was killed."""
        found = True
        while found:  # The last try of a candidate names its compared runs.
            runs = [run for run in self.wanted(lambda run: False) if run.outcome().is_final]
            found = any([self._add(run) for run in runs])

    def check(self) -> None:
        """Checks the settings of all runs, and that the rows were made with these settings.

        Raises:
            InputError: one is wrong.
        """
        for run in self.wanted(lambda run: False):
            run.check()
        made = {
            (c.label, s): self._settings(c, s) for c in self.standing.candidates for s in (0, 1)
        }
        for row in self.standing.rows:
            ours = made.get((row.label, int(row.stage == TUNE)))
            if ours is not None and row.settings != "; ".join(ours):
                raise InputError(
                    f"{self.standing.rows.path}: the row of {row.label}, seed {row.seed}, was made "
                    f"with other settings: {row.settings}; remove it"
                )

    def begun(self, run: Run) -> None:
        """Says so."""
        _say(f"begins: {run.name}, {run.epochs} epochs")

    def ended(self, run: Run) -> None:
        """Adds the run's row; of a run that failed it says why."""
        outcome = run.outcome()
        if outcome.is_final:
            self._add(run)
        else:
            _say(f"{outcome.status}: {run.name}: {run.reason(outcome)}")

    def update(self, wanted: list[Run]) -> None:
        """Nothing."""

    def _add(self, run: MeasuredRun) -> bool:
        row = run.row(self.standing.task.metric)
        self.standing.rows.add(row)
        run.remove_large_files()
        done = f"{len(self.standing.rows)} of {self.standing.total()} runs"
        _say(f"{row.status}: {run.name}, loss {row.train_loss or '-'}, {row.seconds} s; {done}")
        return True

    def _run(self, candidate: Candidate, stage: str, tuned: Tuned, seed: int) -> MeasuredRun:
        epochs = self.plan.epochs(candidate.label, tuned, stage == TUNE)
        made = dataclasses.replace(candidate, settings=self._settings(candidate, stage == TUNE))
        path = self.standing.task.config_path
        return MeasuredRun(made, seed, tuned, path, self.folder, epochs, stage)

    def _settings(self, candidate: Candidate, is_tuning: bool) -> tuple[str, ...]:
        """Those of the candidate; for SWALP also the step after which it averages."""
        if candidate.algorithm != "swalp":
            return candidate.settings
        tuned, *_ = candidate.choices()
        epochs = self.plan.epochs(candidate.label, tuned, is_tuning)
        steps = epochs * self.plan.lengths[candidate.label, tuned].steps_per_epoch
        return (*candidate.settings, f"algorithm.average_after={int(AVERAGED_FROM * steps)}")


class Stop:
    """Requested by a signal, or after some minutes."""

    def __init__(self, signals: StopOnSignal, minutes: float | None):
        self._signals = signals
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._signals.requested or self._end is not None and time.monotonic() > self._end


def of_bits(tiers: Tiers, bits: Sequence[int]) -> Tiers:
    """The tiers of these word lengths.

    Raises:
        InputError: there is no tier of one of them.
    """
    _check_known("--bits", bits, [b for b, _ in tiers])
    return [tier for tier in tiers if tier[0] in bits]


def of_labels(tiers: Tiers, labels: Sequence[str]) -> Tiers:
    """The candidates with these labels; without the tiers that have none of them.

    Raises:
        InputError: there is no candidate with one of the labels.
    """
    known = [candidate.label for _, tier in tiers for candidate in tier]
    _check_known("--labels", labels, known)
    found = [(bits, [each for each in tier if each.label in labels]) for bits, tier in tiers]
    return [(bits, tier) for bits, tier in found if tier]


def _check_known(option: str, received: Sequence, known: Sequence) -> None:
    if unknown := [str(each) for each in received if each not in known]:
        expected = ", ".join(dict.fromkeys(map(str, known)))
        raise InputError(f"{option} must be of {expected}. Received: {', '.join(unknown)}")


def quick_tiers(tiers: Tiers) -> Tiers:
    """The first tier, each candidate with the first value of each key."""
    bits, first = tiers[0]
    found = []
    for candidate in first:
        chosen = [assignment(key, value) for key, value in candidate.choices()[0]]
        settings = (*candidate.settings, *chosen)
        found.append(dataclasses.replace(candidate, settings=settings, grid=()))
    return [(bits, found)]


def carry_out(
    task: Task, setting: str, rows: ResultRows, tiers: Tiers, options: argparse.Namespace
) -> int:
    """Trains what is missing in one setting; returns the exit status.

    Raises:
        InputError: a setting or the folder of the runs is wrong.
    """
    kind = "quick-" if options.quick else ""
    folder = options.runs / f"{kind}{task.name}-{setting}"
    folder.mkdir(parents=True, exist_ok=True)
    standing = Standing(task, setting, tiers, rows)
    with FolderLock(folder) as lock, StopOnSignal(_say) as signals:
        stop = Stop(signals, options.minutes)
        budget = (task.budget, task.tuning_budget)
        plan = budget_plan.plan(budget, standing.candidates, task.config_path, folder)
        plan.write(folder)
        work = Work(standing, plan, folder)
        work.check()
        work.collect()
        _say(f"{task.name}, {setting}: {len(rows)} rows, {standing.total()} runs in all")
        process_pool.carry_out(work, options.jobs, stop, lock.descriptor, work, WORKER)
        work.collect()
    if not options.quick:
        tables.write()
    if stop.requested:
        _say("stopped; to continue, run the same command again")
        return INTERRUPTED if signals.requested else FINISHED
    return FAILED if any(standing.missing()) else FINISHED


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; exit status 0 done or out of time, 1 failed, 2 wrong input, 130 stopped."""
    options = _parser().parse_args(arguments)
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    return answer(lambda: _main(options), failed="failed")


def _main(options: argparse.Namespace) -> int:
    task = TASKS[options.task].made_quick() if options.quick else TASKS[options.task]
    began = time.monotonic()
    for setting in [options.setting] if options.setting else task.kinds:
        tiers = task.tiers(setting)
        if options.bits:
            tiers = of_bits(tiers, options.bits)
        if options.labels:
            tiers = of_labels(tiers, options.labels)
        tiers = quick_tiers(tiers) if options.quick else tiers
        quick = options.runs / f"quick-{task.name}-{setting}" / "results.csv"
        rows = ResultRows(quick) if options.quick else of_task(task.name, setting)
        status = carry_out(task, setting, rows, tiers, options)
        if options.minutes is not None:
            options.minutes -= (time.monotonic() - began) / 60
            began = time.monotonic()
        if status or options.minutes is not None and options.minutes <= 0:
            return status
    return FINISHED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Algorithms at equal numbers of gradients.")
    add = parser.add_argument
    add("task", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    add("--setting", choices=SETTINGS, help="default: one after the other")
    add("--minutes", type=float, metavar="M", help="stop after so long; runs write checkpoints")
    add("--jobs", type=int, default=2, metavar="N", help="runs at a time, each with one thread")
    numbers = {"type": lambda text: [int(part) for part in text.split(",")], "metavar": "N,..."}
    add("--bits", help="only the candidates of so many bits", **numbers)
    words = {"type": lambda text: text.split(","), "metavar": "LABEL,..."}
    add("--labels", help="only the candidates with these labels, such as lp4,bcsgd4", **words)
    add("--quick", action="store_true", help="small, one seed, not tuned; changes no file here")
    text = "folder of the unfinished runs; default: runs/equal_price"
    add("--runs", type=pathlib.Path, default=pathlib.Path("runs/equal_price"), help=text)
    return parser


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
