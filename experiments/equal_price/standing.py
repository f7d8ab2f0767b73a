"""How far a task is, by its rows alone: which tries and seeds are there, and what was chosen."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.equal_price.result_rows import (
    COMPARE,
    DIVERGED,
    FINISHED,
    TUNE,
    ResultRows,
    Row,
)
from experiments.equal_price.tasks import TUNE_SEED, Task, Tiers
from tq_halp.commands.compare import statistics
from tq_halp.commands.compare.candidates import Candidate, Tuned


@dataclass(frozen=True)
class Standing:
    """The rows of a task in one setting, beside the runs that it is made of.

    Args:
        tiers: the candidates, with their bits.
    """

    task: Task
    setting: str
    tiers: Tiers
    rows: ResultRows

    @property
    def candidates(self) -> list[Candidate]:
        """In the order of importance."""
        return [candidate for _, tier in self.tiers for candidate in tier]

    def tries(self, candidate: Candidate) -> dict[Tuned, Row | None]:
        """Combination of values -> its row; empty if nothing is tuned."""
        if not candidate.grid:
            return {}
        find = self.rows.find
        return {
            tuned: find(candidate.label, TUNE, text_of(tuned), TUNE_SEED)
            for tuned in candidate.choices()
        }

    def is_tuned(self, candidate: Candidate) -> bool:
        """Whether every try has its row."""
        return None not in self.tries(candidate).values()

    def choice(self, candidate: Candidate) -> Tuned | None:
        """The values with the lowest validation loss; none if nothing is tuned.

        None while tries are missing, and if each of them diverged.
        """
        if not candidate.grid:
            return ()
        if not self.is_tuned(candidate):
            return None
        losses = {
            tuned: row.number("val_loss") for tuned, row in self.tries(candidate).items() if row
        }
        finished = {tuned: loss for tuned, loss in losses.items() if loss is not None}
        return min(finished, key=finished.__getitem__, default=None)

    def compared(self, candidate: Candidate) -> dict[int, Row]:
        """Seed -> row of the runs that are over."""
        tuned = self.choice(candidate)
        if tuned is None:
            return {}
        find, text = self.rows.find, text_of(tuned)
        found = {seed: find(candidate.label, COMPARE, text, seed) for seed in self.task.seeds}
        return {seed: row for seed, row in found.items() if row is not None}

    def values(self, candidate: Candidate, column: str) -> list[float]:
        """The numbers of a column, of the runs that finished."""
        found = (row.number(column) for row in self.compared(candidate).values())
        return [value for value in found if value is not None]

    def mean(self, candidate: Candidate, column: str) -> statistics.Mean | None:
        """Over the seeds that finished."""
        return statistics.mean_of(self.values(candidate, column))

    def paired(
        self, ours: Candidate, theirs: Candidate, column: str, higher_is_better: bool
    ) -> statistics.Paired:
        """Over the seeds that both have rows of; one that diverged lost."""
        a, b = self.compared(ours), self.compared(theirs)
        both = [seed for seed in a if seed in b]
        pairs = [(a[seed].number(column), b[seed].number(column)) for seed in both]
        return statistics.compare(pairs, higher_is_better)

    def counts(self, candidate: Candidate) -> str:
        """ "3 of 5", and how many of them diverged; how far the tuning is, before that."""
        tries = list(self.tries(candidate).values())
        done = [row for row in tries if row is not None]
        if len(done) < len(tries):
            return f"tuning {len(done)} of {len(tries)}" if done else "not run"
        if tries and all(row.status == DIVERGED for row in done):
            return "all tries diverged"
        rows = self.compared(candidate).values()
        diverged = sum(row.status != FINISHED for row in rows)
        more = f", {diverged} diverged" if diverged else ""
        return f"{len(rows)} of {len(self.task.seeds)}{more}"

    def missing(self) -> Iterator[tuple[Candidate, str, Tuned, int]]:
        """The runs that have no row and can be named, (candidate, stage, values, seed).

        Tier by tier: all tries, then seed by seed, so that an interrupted comparison has as many
        seeds of each candidate.
        """
        for _, tier in self.tiers:
            for candidate in tier:
                for tuned, row in self.tries(candidate).items():
                    if row is None:
                        yield candidate, TUNE, tuned, TUNE_SEED
            chosen = [(candidate, self.choice(candidate)) for candidate in tier]
            for seed in self.task.seeds:
                for candidate, tuned in chosen:
                    if tuned is not None and seed not in self.compared(candidate):
                        yield candidate, COMPARE, tuned, seed

    def total(self) -> int:
        """How many runs the task is made of."""
        tries = (candidate.tries if candidate.grid else 0 for candidate in self.candidates)
        return sum(tries) + len(self.candidates) * len(self.task.seeds)


def text_of(tuned: Tuned) -> str:
    """The values as they stand in a row."""
    return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in tuned)
