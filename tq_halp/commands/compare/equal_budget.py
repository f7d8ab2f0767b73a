"""The compared metrics, and each run's evaluation at an equal budget of epochs or gradients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tq_halp.commands.running.metrics import number, perplexity, points

Rows = Sequence[Mapping[str, str]]
#: The kinds of budget: column of metrics.csv, and name.
EPOCHS = ("epoch", "epochs")
EVALUATIONS = ("gradient_evaluations", "gradient evaluations (passes over the training data)")
SECONDS = ("seconds", "seconds")


@dataclass(frozen=True)
class Metric:
    """A number that every evaluation has.

    column: the column of metrics.csv for the validation examples.
    training: the column for the training examples; the loss in case of a perplexity.
    short: its name without the examples.
    of: the examples of `column`.
    """

    column: str
    training: str
    short: str
    higher_is_better: bool = False
    of: str = "validation"

    @property
    def name(self) -> str:
        """The examples and the short name, such as "validation loss"."""
        return f"{self.of} {self.short}"

    def best(self, values: Sequence[float]) -> float:
        """The best of some values."""
        return max(values) if self.higher_is_better else min(values)

    def validation_points(self, rows: Rows, x: str) -> list[tuple[float, float]]:
        """(x, value) of each evaluation, from the one before training on."""
        return points(rows, x, self.column)

    def training_points(self, rows: Rows, x: str) -> list[tuple[float, float]]:
        """(x, value) on the training examples of each evaluation."""
        found = points(rows, x, self.training)
        return [(a, perplexity(b)) for a, b in found] if self is PERPLEXITY else found


PERPLEXITY = Metric("val_perplexity", "train_loss", "perplexity")
LOSS = Metric("val_loss", "train_loss", "loss")
ACCURACY = Metric("val_accuracy", "train_accuracy", "accuracy", higher_is_better=True)


def metrics_of(runs: Iterable[Rows]) -> list[Metric]:
    """The perplexity if the rows have one, else the loss; then the accuracy if they have one."""
    columns = {column for rows in runs for row in rows for column, text in row.items() if text}
    found = [PERPLEXITY if PERPLEXITY.column in columns else LOSS]
    return found + ([ACCURACY] if ACCURACY.column in columns else [])


def common_budget(runs: Iterable[Rows], column: str) -> float | None:
    """The largest value of `column` that all runs reached, min over runs of max over rows.

    None if there are no rows.
    """
    return min((max(_numbers(rows, column)) for rows in runs if rows), default=None)


def at_budget(rows: Rows, metric: Metric, column: str, budget: float) -> float | None:
    """The metric at the last evaluation whose `column` is at most `budget`, or None."""
    # Gradient evaluations are sums, with rounding errors.
    within = [y for x, y in points(rows, column, metric.column) if x <= budget * (1 + 1e-9)]
    return within[-1] if within else None


def _numbers(rows: Rows, column: str) -> list[float]:
    """The numbers in a column; [0.0] if there is none."""
    found = (number(row, column) for row in rows)
    return [value for value in found if value is not None] or [0.0]
