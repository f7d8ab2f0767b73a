"""What is compared: which numbers of an evaluation, and which evaluation at an equal budget."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tq_halp.commands.running.metrics import number, perplexity, points

Rows = Sequence[Mapping[str, str]]
#: What a budget can be of: the column, and what it is called.
EPOCHS = ("epoch", "epochs")
EVALUATIONS = ("gradient_evaluations", "gradient evaluations (passes over the training data)")
SECONDS = ("seconds", "seconds")


@dataclass(frozen=True)
class Metric:
    """A number of each evaluation.

    column: of metrics.csv, on the validation examples.
    training: its counterpart on the training examples, a loss in case of a perplexity.
    of: the examples of `column`.
    """

    column: str
    training: str
    short: str
    higher_is_better: bool = False
    of: str = "validation"

    @property
    def name(self) -> str:
        return f"{self.of} {self.short}"

    def best(self, values: Sequence[float]) -> float:
        return max(values) if self.higher_is_better else min(values)

    def validation_points(self, rows: Rows, x: str) -> list[tuple[float, float]]:
        """(x, value) of each evaluation; the one before the training is there too."""
        return points(rows, x, self.column)

    def training_points(self, rows: Rows, x: str) -> list[tuple[float, float]]:
        found = points(rows, x, self.training)
        return [(a, perplexity(b)) for a, b in found] if self is PERPLEXITY else found


PERPLEXITY = Metric("val_perplexity", "train_loss", "perplexity")
LOSS = Metric("val_loss", "train_loss", "loss")
ACCURACY = Metric("val_accuracy", "train_accuracy", "accuracy", higher_is_better=True)


def metrics_of(runs: Iterable[Rows]) -> list[Metric]:
    """The perplexity where there is one, else the loss; then the accuracy where there is one."""
    columns = {column for rows in runs for row in rows for column, text in row.items() if text}
    found = [PERPLEXITY if PERPLEXITY.column in columns else LOSS]
    return found + ([ACCURACY] if ACCURACY.column in columns else [])


def common_budget(runs: Iterable[Rows], column: str) -> float | None:
    """The most that all runs reached: min over runs of max over rows of `column`; of none, None."""
    return min((max(_numbers(rows, column)) for rows in runs if rows), default=None)


def at_budget(rows: Rows, metric: Metric, column: str, budget: float) -> float | None:
    """The metric of the last evaluation whose `column` is at most the budget."""
    # Sums of passes over minibatches are rounded.
    within = [y for x, y in points(rows, column, metric.column) if x <= budget * (1 + 1e-9)]
    return within[-1] if within else None


def _numbers(rows: Rows, column: str) -> list[float]:
    found = (number(row, column) for row in rows)
    return [value for value in found if value is not None] or [0.0]
