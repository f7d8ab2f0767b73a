"""diagnostics.png of a run: what its algorithm records about itself, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.atomic_files import replacing
from tq_halp.commands.running.metrics import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The palette of Okabe and Ito, which colour-blind readers can tell apart.
_OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The colours of lines, with four more for a plot of many.
COLOURS = (*_OKABE_ITO, "#8C6D1F", "#7F7F7F", "#6A3D9A", "#B15928")
STYLES = ("o-", "s--")


@dataclass(frozen=True)
class Panel:
    """One plot: columns of metrics.csv with the same unit, each with its name in a legend."""

    label: str
    columns: Mapping[str, str]
    #: A horizontal line: values below it are a gain.
    threshold: float | None = None


PANELS = (
    Panel("norm of the full gradient", {"full_gradient_norm": ""}),
    Panel("variance, reduced / plain", {"variance_ratio": ""}, threshold=1.0),
    Panel("scale: step of the grid", {"scale": ""}),
    Panel("mean residual / step of the grid", {"residual": ""}),
    Panel("μ", {"mu": ""}),
    Panel(
        "share of the values",
        {"saturated_fraction": "saturated", "underflow_fraction": "rounded to zero"},
    ),
)


def panels(runs: Sequence[Sequence[Mapping]]) -> list[Panel]:
    """The panels for which any of the runs has a number."""
    return [
        panel
        for panel in PANELS
        if any(points(rows, "epoch", column) for rows in runs for column in panel.columns)
    ]


def draw(axes: "Axes", panel: Panel, runs: Mapping[str, Sequence[Mapping]]) -> None:
    """Draws a panel against epochs: a colour for each run, a line style for each column.

    Args:
        axes: to draw on.
        runs: a run's name in the legend -> its rows of metrics.csv.
    """
    values = []
    for (run, rows), colour in zip(runs.items(), COLOURS * len(runs), strict=False):
        for (column, name), style in zip(panel.columns.items(), STYLES, strict=False):
            line = points(rows, "epoch", column)
            if line:
                label = ", ".join(word for word in (run, name) if word)
                axes.plot(*zip(*line, strict=True), style, ms=3, color=colour, label=label or None)
                values += [y for _, y in line]
    if panel.threshold is not None:
        axes.axhline(panel.threshold, color="gray", lw=1, ls=":")
    if min(values) > 0 and max(values) > 10 * min(values):
        axes.set_yscale("log")
    axes.set(xlabel="epochs", ylabel=panel.label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(True, which="both", alpha=0.3)


def plot_diagnostics(rows: Sequence[Mapping], title: str, path: Path) -> None:
    """Writes a PNG of all panels of a run; nothing for an algorithm that records nothing.

    Args:
        rows: of metrics.csv.
        title: the model and the data.
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels([rows])
    if not shown:
        return
    columns = min(3, len(shown))
    lines = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, shown, strict=False):
        draw(axes, panel, {"": rows})
        if len(panel.columns) > 1:
            axes.legend()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    figure.suptitle(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)
