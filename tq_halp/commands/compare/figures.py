"""The figures of a comparison: curves with standard errors over seeds, and diagnostics."""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tq_halp.atomic_files import replacing
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.compared_run import DIVERGED
from tq_halp.commands.compare.equal_budget import EPOCHS, EVALUATIONS, SECONDS, Metric, Rows
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.statistics import Mean, mean_of
from tq_halp.commands.running.curves_plot import plain_ticks
from tq_halp.commands.running.diagnostics_plot import COLOURS, draw, panels
from tq_halp.commands.running.metrics import points

BUDGETS = (EPOCHS, EVALUATIONS, SECONDS)
MARKERS = "os^Dv<>P"
#: Line styles with gaps, through which a curve underneath can be seen.
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (5, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Panel:
    """One plot: a metric on the validation or the training examples against a budget."""

    metric: Metric
    is_validation: bool
    budget: tuple[str, str]

    @property
    def label(self) -> str:
        """The label of the vertical axis."""
        return f"{'validation' if self.is_validation else 'training'} {self.metric.short}"

    def points(self, rows: Rows, x: str) -> list[tuple[float, float]]:
        """(x, value) of each row that has both."""
        metric = self.metric
        of = metric.validation_points if self.is_validation else metric.training_points
        return of(rows, x)


def rows_of_panels(results: Results) -> list[list[Panel]]:
    """The rows of panels: validation, then training, for each metric; a column per budget."""
    kinds = [(metric, kind) for metric in results.metrics for kind in (True, False)]
    return [[Panel(metric, kind, budget) for budget in BUDGETS] for metric, kind in kinds]


def write(results: Results, path: Path) -> None:
    """Writes all panels as one PNG."""
    with replacing(path) as temporary:
        figure(results).savefig(temporary, dpi=130)


def figure(results: Results) -> Figure:
    """All panels, with a legend below them."""
    panels = rows_of_panels(results)
    made = Figure(figsize=(13, 3.4 * len(panels) + 0.9), layout="constrained")
    FigureCanvasAgg(made)
    grid = made.subplots(len(panels), 3, squeeze=False)
    for line, row in zip(grid, panels, strict=True):
        for axes, panel in zip(line, row, strict=True):
            _draw(axes, results, panel)
    handles, labels = grid[0][0].get_legend_handles_labels()
    _place_legend(made, handles, labels)
    made.suptitle(f"{results.title}\nmean ± standard error over seeds")
    return made


def _place_legend(made: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Places the legend below the panels, in at most three columns, as they fit into the width."""
    for columns in (3, 2, 1):
        legend = made.legend(handles, labels, loc="outside lower center", ncols=columns)
        if legend.get_window_extent().width <= made.bbox.width:
            return
        if columns > 1:
            legend.remove()


def png(results: Results, panel: Panel) -> bytes:
    """One panel as a PNG."""
    single, axes = _single()
    _draw(axes, results, panel)
    return _bytes(single)


def diagnostics(results: Results, candidate: Candidate) -> Iterable[tuple[str, bytes]]:
    """(name, PNG) of each diagnostic that the algorithm records, with a colour per seed."""
    runs = {f"seed {run.seed}": results.outcomes[run].rows for run in results.compared[candidate]}
    for shown in panels(list(runs.values())):
        single, axes = _single()
        draw(axes, shown, runs)
        yield shown.label, _bytes(single)


def series(runs: Sequence[Rows], panel: Panel) -> list[tuple[float, Mean]]:
    """(budget, value) of each epoch from 1 that all runs have; both are means over the runs."""
    budgets = [dict(points(rows, "epoch", panel.budget[0])) for rows in runs]
    values = [dict(panel.points(rows, "epoch")) for rows in runs]
    shared = set.intersection(*(set(b) & set(v) for b, v in zip(budgets, values, strict=True)))
    # Not epoch 0: the evaluation before training is the same for all.
    means = [
        (mean_of([b[epoch] for b in budgets]), mean_of([v[epoch] for v in values]))
        for epoch in sorted(shared)
        if epoch > 0
    ]
    return [(budget.value, value) for budget, value in means if budget and value]


def _draw(axes: Axes, results: Results, panel: Panel) -> None:
    seen = []
    for number, candidate in enumerate(results.comparison.candidates):
        colour = COLOURS[number % len(COLOURS)]
        dash, mark = DASHES[number % len(DASHES)], MARKERS[number % len(MARKERS)]
        runs = list(results.finished(candidate).values())
        label = results.caption(candidate)
        line = series(runs, panel) if runs else []
        x, y = [x for x, _ in line], [mean.value for _, mean in line]
        errors = [mean.error or 0.0 for _, mean in line]
        low = [a - b for a, b in zip(y, errors, strict=True)]
        high = [a + b for a, b in zip(y, errors, strict=True)]
        every = max(1, len(x) // 12)
        axes.plot(x, y, color=colour, ls=dash, marker=mark, ms=4, markevery=every, label=label)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
        seen += y
        _draw_diverged(axes, results, candidate, panel, colour)
    _scale(axes, [value for value in seen if math.isfinite(value)], panel)
    axes.set(xlabel=panel.budget[1], ylabel=panel.label)
    axes.set_xlim(left=0)
    if panel.budget is EPOCHS:
        _whole(axes.xaxis)
    axes.grid(True, which="both", alpha=0.3)


def _draw_diverged(
    axes: Axes, results: Results, candidate: Candidate, panel: Panel, colour: str
) -> None:
    for run in results.compared[candidate]:
        outcome = results.outcomes[run]
        line = panel.points(outcome.rows, panel.budget[0]) if outcome.status == DIVERGED else []
        if line:
            axes.plot(*zip(*line, strict=True), ":x", ms=6, color=colour, markevery=[-1])


def _scale(axes: Axes, values: Sequence[float], panel: Panel) -> None:
    """Limits the vertical axis to the mean curves: a diverged run would flatten them."""
    if not values:
        return
    low, high = min(values), max(values)
    if panel.metric.higher_is_better or low <= 0:
        margin = 0.06 * (high - low) or 0.01
        axes.set_ylim(low - margin, high + margin)
        return
    margin = max((high / low) ** 0.06, 1.01)
    axes.set_yscale("log")
    axes.set_ylim(low / margin, high * margin)
    plain_ticks(axes)


def _whole(axis: Axis) -> None:
    """Ticks at integers only."""
    axis.get_major_locator().set_params(integer=True)


def _single() -> tuple[Figure, Axes]:
    """A figure with one plot."""
    single = Figure(figsize=(5, 3.7), layout="constrained")
    FigureCanvasAgg(single)
    return single, single.subplots()


def _bytes(drawn: Figure) -> bytes:
    file = io.BytesIO()
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    columns = 1 if max(map(len, labels)) > 24 else 2
    drawn.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=8)
    drawn.savefig(file, format="png", dpi=160)
    return file.getvalue()
