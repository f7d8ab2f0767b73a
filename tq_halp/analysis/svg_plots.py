"""Histograms of a tensor as SVG text."""

import math
from collections.abc import Iterable, Iterator

from tq_halp.analysis.report_row import Row

WIDTH, HEIGHT, BOTTOM = 330, 120, 16  # BOTTOM: below the axis, for its labels


def values_svg(row: Row) -> str:
    """Histogram of the values, with the format's limits if they lie in the range shown."""
    counts, edges = row.histogram_counts, row.histogram_edges
    filled = [k for k, count in enumerate(counts) if count]
    if not filled:
        return _svg([], [])
    first, last = min(filled), max(filled) + 1
    low, high = edges[first], edges[last]
    x = _Axis(low, high)
    most = max(counts)
    marks = [
        f'<line class="limit" x1="{x(limit):.1f}" x2="{x(limit):.1f}" y1="0" y2="{HEIGHT}"/>'
        for limit in row.limits or ()
        if low <= limit <= high
    ]
    bars = [(x(edges[k]), x(edges[k + 1]), counts[k] / most, "inside") for k in filled]
    labels = [(x(value), f"{value:.3g}") for value in _ticks(low, high)]
    return _svg(bars, labels, marks)


def magnitudes_svg(row: Row) -> str:
    """Histogram of the magnitudes: the number of values of each power of two, on a log scale.

    A bar has the class "saturated" if all its values are beyond the format's limits, "to-zero" if
    all are below half a fixed-point step, else "inside".
    """
    counts = row.magnitudes
    if not counts:
        return _svg([], [])
    low, high = min(counts), max(counts) + 1
    if high - low > 48:  # no format that holds the largest resolves smaller ones
        low = high - 48
    x = _Axis(low, high)
    most = math.log1p(max(counts.values()))
    bars = [
        (x(e), x(e + 1), math.log1p(count) / most, _place(row, e))
        for e, count in counts.items()
        if count and e >= low
    ]
    stride = max(1, math.ceil((high - low) / 8))
    labels = [
        (x(e), f'2<tspan class="power" dy="-4">{e}</tspan>')
        for e in range(low, high + 1)
        if e % stride == 0
    ]
    return _svg(bars, labels, list(_fraction_marks(row, x)))


def _fraction_marks(row: Row, x: "_Axis") -> Iterator[str]:
    """Marks at the step of the suggested fraction length and at the end of its range."""
    if row.suggested_frac_bits is None:
        return
    step = -row.suggested_frac_bits
    for e in (step, step + row.word_bits - 1):
        if x.low <= e <= x.high:
            yield f'<line class="suggested" x1="{x(e):.1f}" x2="{x(e):.1f}" y1="0" y2="{HEIGHT}"/>'


def _place(row: Row, e: int) -> str:
    if row.limits is not None and 2.0**e > max(abs(limit) for limit in row.limits):
        return "saturated"
    if row.step is not None and 2.0 ** (e + 1) <= row.step / 2:
        return "to-zero"
    return "inside"


class _Axis:
    """Maps low..high to pixels, 0..WIDTH."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        return WIDTH * (value - self.low) / (self.high - self.low)


def _ticks(low: float, high: float) -> list[float]:
    inner = [0.0] if low < 0 < high and min(-low, high) > 0.2 * (high - low) else []
    return [low, *inner, high]


def _svg(bars: Iterable, labels: Iterable, marks: Iterable[str] = ()) -> str:
    """The SVG of bars (left, right, height from 0 to 1, class), labels (x, text) and marks."""
    paths: dict[str, list[str]] = {}
    for left, right, height, kind in bars:
        top = max(1.0, height * (HEIGHT - 4))  # so that one value among millions is visible
        paths.setdefault(kind, []).append(
            f"M{left:.1f} {HEIGHT}V{HEIGHT - top:.1f}H{max(right, left + 0.5):.1f}V{HEIGHT}z"
        )
    body = [f'<path class="{kind}" d="{"".join(parts)}"/>' for kind, parts in paths.items()]
    body += marks
    body.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>')
    for x, text in labels:
        anchor = "start" if x < 12 else "end" if x > WIDTH - 12 else "middle"
        body.append(f'<text x="{x:.1f}" y="{HEIGHT + 12}" text-anchor="{anchor}">{text}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + BOTTOM}" width="{WIDTH}" height="{HEIGHT + BOTTOM}" '
        f'role="img">{"".join(body)}</svg>'
    )
