"""The results of a comparison: what all its runs left, read once, and numbers about them."""

import csv
import math
from collections.abc import Iterator, Mapping
from functools import cached_property

from tq_halp.atomic_files import replacing
from tq_halp.commands.compare import statistics
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.compared_run import FINISHED, MISSING, UNFINISHED, Outcome, Run
from tq_halp.commands.compare.equal_budget import (
    EVALUATIONS,
    Metric,
    Rows,
    at_budget,
    common_budget,
    metrics_of,
)
from tq_halp.commands.compare.run_grid import Comparison

COLUMNS = ("label", "algorithm", "seed", "compared", "status")


class Results:
    """The runs of each candidate, their outcomes, and means over them.

    Args:
        comparison: its runs are read as far as they are.
    """

    def __init__(self, comparison: Comparison):
        self.comparison = comparison
        self.compared = {
            candidate: comparison.chosen(candidate) for candidate in comparison.candidates
        }
        self.tries = {e: comparison.tries(e) for e in comparison.candidates if e.grid}
        grids = [comparison.grid(candidate) for candidate in self.tries]
        every = [*grids, *self.compared.values()]
        self.outcomes: dict[Run, Outcome] = {r: r.outcome() for runs in every for r in runs}

    @cached_property
    def metrics(self) -> list[Metric]:
        """The metrics that the runs have."""
        return metrics_of(outcome.rows for outcome in self.outcomes.values())

    def finished(self, candidate: Candidate) -> dict[int, Rows]:
        """Seed -> rows of the candidate's finished runs."""
        found = {run.seed: self.outcomes[run] for run in self.compared[candidate]}
        return {seed: o.rows for seed, o in found.items() if o.status == FINISHED and o.rows}

    def failed(self) -> list[Run]:
        """The runs that did not finish."""
        return [run for run, outcome in self.outcomes.items() if outcome.status != FINISHED]

    def budget(self, column: str) -> float | None:
        """The largest value of `column` that every finished run reached, or what it was planned."""
        plan = self.comparison.plan
        if plan is not None and column == EVALUATIONS[0]:
            return plan.passes
        runs = (rows for e in self.comparison.candidates for rows in self.finished(e).values())
        return common_budget(runs, column)

    def final(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        """The mean of the metric at the last evaluation."""
        values = self._values(candidate, metric)
        return statistics.mean_of([value[-1] for value in values])

    def best(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        """The mean of each run's best value of the metric."""
        values = self._values(candidate, metric)
        return statistics.mean_of([metric.best(value) for value in values])

    def test(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        """The mean of the metric on the test examples, over the runs that have any."""
        finished = [self.outcomes[run] for run in self.compared[candidate]]
        found = [o.summary.get("test") or {} for o in finished if o.status == FINISHED]
        return statistics.mean_of([float(t[metric.short]) for t in found if metric.short in t])

    def last(self, candidate: Candidate, column: str) -> statistics.Mean | None:
        """The mean of the largest value of `column`."""
        reached = [common_budget([rows], column) for rows in self.finished(candidate).values()]
        return statistics.mean_of([budget for budget in reached if budget is not None])

    def paired(
        self, candidate: Candidate, metric: Metric, column: str, baseline: str
    ) -> statistics.Paired:
        """Differences to the label `baseline`, paired by seed, at the budget that all reached."""
        is_planned = self.comparison.plan is not None and column == EVALUATIONS[0]
        # With snapshots at random a run may cost a little more than was planned.
        limit = math.inf if is_planned else self.budget(column)
        other = next(e for e in self.comparison.candidates if e.label == baseline)
        ours, theirs = self.finished(candidate), self.finished(other)

        def value(runs: Mapping[int, Rows], seed: int) -> float | None:
            if limit is None or seed not in runs:
                return None
            return at_budget(runs[seed], metric, column, limit)

        seeds = self.comparison.seeds
        pairs = [(value(ours, seed), value(theirs, seed)) for seed in seeds]
        return statistics.compare(pairs, metric.higher_is_better)

    @cached_property
    def title(self) -> str:
        """The model, and the data that were used, for a headline."""
        found = [outcome.summary for outcome in self.outcomes.values() if outcome.summary]
        dataset = found[0]["dataset"]
        instead = f" (in place of {dataset['requested']})" if dataset["fallback"] else ""
        return f"{found[0]['model']} on {dataset['name']}{instead}"

    def remarks(self) -> Iterator[str]:
        """Warnings that a reader needs in order to read the numbers right."""
        keys = ("name", "train_examples", "validation_examples")
        found = {tuple(o.summary["dataset"][k] for k in keys): r for r, o in self._told()}
        if len(found) > 1:
            runs = "; ".join(f"{run.name}: {', '.join(map(str, k))}" for k, run in found.items())
            yield f"The runs did not train on the same data: {runs}."

    def _told(self) -> list[tuple[Run, Outcome]]:
        """The runs with a summary."""
        return [(run, o) for run, o in self.outcomes.items() if o.summary]

    def seeds(self, candidate: Candidate) -> str:
        """ "2 of 3": how many runs finished."""
        return f"{len(self.finished(candidate))} of {len(self.comparison.seeds)}"

    def tuned(self, candidate: Candidate) -> str:
        """The values that were chosen for the candidate, as text."""
        return next((", ".join(run.values) for run in self.compared[candidate]), "")

    def caption(self, candidate: Candidate) -> str:
        """The candidate in a legend."""
        tuned = self.tuned(candidate)
        return f"{candidate.label}{', ' if tuned else ''}{tuned} ({self.seeds(candidate)} seeds)"

    def status(self, run: Run) -> str:
        """The status of a run, for which nobody waits any more."""
        status = self.outcomes[run].status
        return {UNFINISHED: "stopped", MISSING: "not run"}.get(status, status)

    def write_csv(self) -> None:
        """Writes compare.csv: one row per run and evaluation."""
        tuned = list(dict.fromkeys(key for run in self.outcomes for key, _ in run.tuned))
        measured = [column for o in self.outcomes.values() for row in o.rows for column in row]
        columns = [*COLUMNS, *tuned, *dict.fromkeys(measured)]
        compared = {run for runs in self.compared.values() for run in runs}
        with (
            replacing(self.comparison.folder / "compare.csv") as path,
            open(path, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
            writer.writeheader()
            for run, outcome in self.outcomes.items():
                about = (run.label, run.candidate.algorithm, run.seed, run in compared)
                fixed = dict(zip(COLUMNS, (*about, outcome.status), strict=True))
                writer.writerows({**fixed, **dict(run.tuned), **row} for row in outcome.rows)

    @property
    def is_empty(self) -> bool:
        """Whether no run finished."""
        return not any(self.finished(candidate) for candidate in self.comparison.candidates)

    @property
    def has_unfinished(self) -> bool:
        """Whether another try could finish more runs."""
        return any(not outcome.is_final for outcome in self.outcomes.values())

    def _values(self, candidate: Candidate, metric: Metric) -> list[list[float]]:
        """The values of the metric at all evaluations of each finished run."""
        runs = self.finished(candidate).values()
        found = [[y for _, y in metric.validation_points(rows, "epoch")] for rows in runs]
        return [values for values in found if values]
