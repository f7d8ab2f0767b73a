"""curves.png of a run: training and validation curves."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.atomic_files import replacing
from tq_halp.commands.running.metrics import perplexity

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(rows: Sequence[Mapping], title: str, path: Path) -> None:
    """Writes a PNG of the curves against epochs and against gradient evaluations.

    Args:
        rows: of metrics.csv; perplexities are drawn if there are any, else losses.
        title: the model and the data.
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    is_language = any(row.get("val_perplexity") is not None for row in rows)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    costs = (
        (left, "epoch", "epochs"),
        (right, "gradient_evaluations", "gradient evaluations (passes over the training data)"),
    )
    for axes, column, label in costs:
        for kind, style in (("train", "o--"), ("val", "o-")):
            points = _points(rows, column, f"{kind}_loss", is_language)
            name = {"train": "training", "val": "validation"}[kind]
            axes.plot(*points, style, markersize=3.5, label=name)
        axes.set(xlabel=label, yscale="log")
        axes.grid(True, which="both", alpha=0.3)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel("perplexity" if is_language else "loss")
    plain_ticks(left)
    left.legend()
    figure.suptitle(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)


def plain_ticks(axes: "Axes") -> None:
    """Labels a logarithmic axis of little more than a decade with plain numbers."""
    from matplotlib.ticker import LogFormatter

    low, high = axes.get_ylim()
    if high / low < 100:
        axes.yaxis.set_major_formatter(LogFormatter(labelOnlyBase=False))
        axes.yaxis.set_minor_formatter(
            LogFormatter(labelOnlyBase=False, minor_thresholds=(2.5, 1.0))
        )


def _points(
    rows: Sequence[Mapping], x_column: str, y_column: str, is_language: bool
) -> tuple[list, list]:
    """The points that a logarithmic axis can show; the last ones of a diverged run are not."""
    points = []
    for row in rows:
        x, y = row.get(x_column), row.get(y_column)
        if x is None or y is None or not math.isfinite(y):
            continue
        y = perplexity(y) if is_language else y
        if 0 < y < math.inf:
            points.append((x, y))
    return [x for x, _ in points], [y for _, y in points]
