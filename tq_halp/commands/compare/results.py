"""All that the runs of a comparison left, read once."""

import csv
from collections.abc import Iterator, Mapping
from functools import cached_property

from tq_halp.atomic_files import replacing
from tq_halp.commands.compare import statistics
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.compared_run import FINISHED, MISSING, UNFINISHED, Outcome, Run
from tq_halp.commands.compare.equal_budget import Metric, Rows, at_budget, common_budget, metrics_of
from tq_halp.commands.compare.run_grid import Comparison

COLUMNS = ("label", "algorithm", "seed", "compared", "status")


class Results:
    """Runs by candidate, and what is said of them.

    Args:
        comparison: whose runs are over, or as far as they are.
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
        return metrics_of(outcome.rows for outcome in self.outcomes.values())

    def finished(self, candidate: Candidate) -> dict[int, Rows]:
        """Rows by seed of the runs that came to their end."""
        found = {run.seed: self.outcomes[run] for run in self.compared[candidate]}
        return {seed: o.rows for seed, o in found.items() if o.status == FINISHED and o.rows}

    def failed(self) -> list[Run]:
        """The runs that did not."""
        return [run for run, outcome in self.outcomes.items() if outcome.status != FINISHED]

    def budget(self, column: str) -> float | None:
        """The most epochs, gradient evaluations or seconds that every finished run reached."""
        runs = (rows for e in self.comparison.candidates for rows in self.finished(e).values())
        return common_budget(runs, column)

    def final(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        values = self._values(candidate, metric)
        return statistics.mean_of([value[-1] for value in values])

    def best(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        values = self._values(candidate, metric)
        return statistics.mean_of([metric.best(value) for value in values])

    def test(self, candidate: Candidate, metric: Metric) -> statistics.Mean | None:
        """On the test examples, where a run has any."""
        finished = [self.outcomes[run] for run in self.compared[candidate]]
        found = [o.summary.get("test") or {} for o in finished if o.status == FINISHED]
        return statistics.mean_of([float(t[metric.short]) for t in found if metric.short in t])

    def last(self, candidate: Candidate, column: str) -> statistics.Mean | None:
        """The mean of what runs reached of a column."""
        reached = [common_budget([rows], column) for rows in self.finished(candidate).values()]
        return statistics.mean_of([budget for budget in reached if budget is not None])

    def paired(
        self, candidate: Candidate, metric: Metric, column: str, baseline: str
    ) -> statistics.Paired:
        """Against the label `baseline`, at the budget that all reached, over seeds."""
        budget = self.budget(column)
        other = next(e for e in self.comparison.candidates if e.label == baseline)
        ours, theirs = self.finished(candidate), self.finished(other)

        def value(runs: Mapping[int, Rows], seed: int) -> float | None:
            if budget is None or seed not in runs:
                return None
            return at_budget(runs[seed], metric, column, budget)

        seeds = self.comparison.seeds
        pairs = [(value(ours, seed), value(theirs, seed)) for seed in seeds]
        return statistics.compare(pairs, metric.higher_is_better)

    @cached_property
    def title(self) -> str:
        """What was trained on what, by its true name."""
        found = [outcome.summary for outcome in self.outcomes.values() if outcome.summary]
        dataset = found[0]["dataset"]
        instead = f" (in place of {dataset['requested']})" if dataset["fallback"] else ""
        return f"{found[0]['model']} on {dataset['name']}{instead}"

    def remarks(self) -> Iterator[str]:
        """What a reader has to know, lest the numbers mislead."""
        keys = ("name", "train_examples", "validation_examples")
        found = {tuple(o.summary["dataset"][k] for k in keys): r for r, o in self._told()}
        if len(found) > 1:
            runs = "; ".join(f"{run.name}: {', '.join(map(str, k))}" for k, run in found.items())
            yield f"The runs did not train on the same data: {runs}."

    def _told(self) -> list[tuple[Run, Outcome]]:
        return [(run, o) for run, o in self.outcomes.items() if o.summary]

    def seeds(self, candidate: Candidate) -> str:
        """ "2 of 3"."""
        return f"{len(self.finished(candidate))} of {len(self.comparison.seeds)}"

    def tuned(self, candidate: Candidate) -> str:
        """What was chosen for it, in words."""
        return next((", ".join(run.values) for run in self.compared[candidate]), "")

    def caption(self, candidate: Candidate) -> str:
        """For a legend."""
        tuned = self.tuned(candidate)
        return f"{candidate.label}{', ' if tuned else ''}{tuned} ({self.seeds(candidate)} seeds)"

    def status(self, run: Run) -> str:
        """Of a run that nobody waits for any more."""
        status = self.outcomes[run].status
        return {UNFINISHED: "stopped", MISSING: "not run"}.get(status, status)

    def write_csv(self) -> None:
        """compare.csv: one row per run and evaluation."""
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
        """Whether there is nothing to compare."""
        return not any(self.finished(candidate) for candidate in self.comparison.candidates)

    @property
    def has_unfinished(self) -> bool:
        """Whether another try could bring more."""
        return any(not outcome.is_final for outcome in self.outcomes.values())

    def _values(self, candidate: Candidate, metric: Metric) -> list[list[float]]:
        runs = self.finished(candidate).values()
        found = [[y for _, y in metric.validation_points(rows, "epoch")] for rows in runs]
        return [values for values in found if values]
