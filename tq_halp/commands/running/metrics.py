"""Numbers from the rows of metrics.csv, and perplexity."""

import math
from collections.abc import Iterable, Mapping


def perplexity(loss: float) -> float:
    """exp(loss) for a loss in nats per token; inf where that is beyond float64, nan for nan."""
    return math.exp(loss) if not loss > 709.0 else math.inf


def number(row: Mapping, column: str) -> float | None:
    """A cell as a number, from the file or from a run in progress; None if it is empty."""
    cell = row.get(column)
    return None if cell is None or cell == "" else float(cell)


def points(rows: Iterable[Mapping], x: str, y: str) -> list[tuple[float, float]]:
    """(x, y) of the rows that have both columns, with a finite y."""
    found = [(number(row, x), number(row, y)) for row in rows]
    return [(a, b) for a, b in found if a is not None and b is not None and math.isfinite(b)]
