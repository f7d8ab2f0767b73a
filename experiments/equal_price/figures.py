"""The figures: loss and metric against bits, a line for each algorithm."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.equal_price.pairs import memory, parts
from experiments.equal_price.standing import Standing
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.statistics import Mean

#: Family and what follows its bits -> name and color.
LINES = {
    ("lp", ""): ("LP-SGD", "C7"),
    ("lp", "+exact"): ("LP-SGD, exact residual", "C1"),
    ("lp", "+momentum"): ("LP-SGD, residual in the momentum", "C8"),
    ("lp", "+4bits"): ("LP-SGD, residual of 4 bits (bits: both)", "C5"),
    ("swalp", ""): ("SWALP", "C9"),
    ("bcsgd", ""): ("BC-SGD", "C2"),
    ("halp", ""): ("HALP", "C3"),
    ("bcsaga", ""): ("BC-SAGA", "C0"),
}
LEVELS = {"sgd": ("SGD", "black"), "saga": ("SAGA", "0.6")}
#: Beyond so many times the level of SGD a point is drawn as a cross at the edge.
FAR = 3.0


def of_task(standings: Sequence[Standing], path: pathlib.Path) -> bool:
    """Training loss above, the validation metric below; False if there is nothing to draw."""
    begun = [standing for standing in standings if _has_any(standing)]
    if not begun:
        return False
    panels = [[(s, "train_loss") for s in begun], [(s, "val_metric") for s in begun]]
    _draw(panels, path)
    return True


def overview(standings: Sequence[Standing], path: pathlib.Path) -> bool:
    """The validation metric of each task and setting that has been begun."""
    begun = [(standing, "val_metric") for standing in standings if _has_any(standing)]
    if not begun:
        return False
    _draw([begun[start : start + 4] for start in range(0, len(begun), 4)], path)
    return True


def lines(standing: Standing, column: str) -> Iterator[tuple[tuple[str, str], list]]:
    """(key of LINES, [(bits, mean or None if each seed diverged)]), sorted by bits.

    Of several labels with as many bits, which differ in the range, the one with the lowest mean
    validation loss.
    """
    for family, more in LINES:
        points: dict[int, list[Candidate]] = {}
        for candidate in standing.candidates:
            of, bits, rest = parts(candidate.label)
            if (of, rest if rest.startswith("+") else "") == (family, more):
                is_there = standing.compared(candidate) or _all_diverged(standing, candidate)
                if is_there:
                    points.setdefault(memory(candidate.label) or 0, []).append(candidate)
        if points:
            best = {bits: min(found, key=_loss_in(standing)) for bits, found in points.items()}
            yield (
                (family, more),
                [(bits, standing.mean(best[bits], column)) for bits in sorted(best)],
            )


def _all_diverged(standing: Standing, candidate: Candidate) -> bool:
    return bool(candidate.grid) and standing.is_tuned(candidate) and not standing.choice(candidate)


def _loss_in(standing: Standing):
    def loss(candidate: Candidate) -> float:
        mean = standing.mean(candidate, "val_loss")
        return float("inf") if mean is None else mean.value

    return loss


def _has_any(standing: Standing) -> bool:
    return any(standing.compared(candidate) for candidate in standing.candidates)


def _draw(panels: Sequence[Sequence[tuple[Standing, str]]], path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = max(map(len, panels))
    figure, grid = pyplot.subplots(
        len(panels),
        columns,
        figsize=(4.2 * columns, 3.4 * len(panels)),
        squeeze=False,
    )
    handles: dict[str, Any] = {}
    for row, cells in zip(panels, grid, strict=True):
        for axes in cells[len(row) :]:
            axes.set_axis_off()
        for (standing, column), axes in zip(row, cells, strict=False):
            handles |= _panel(axes, standing, column)
    figure.tight_layout()
    place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
    figure.legend(handles.values(), handles, **place)
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)


def _panel(axes, standing: Standing, column: str) -> dict[str, Any]:
    """Draws one; returns name -> what stands for it in the legend."""
    handles, ticks = {}, set()
    level = _level(standing, column, "sgd")
    for key, points in lines(standing, column):
        name, color = LINES[key]
        near = [(bits, mean) for bits, mean in points if _is_near(mean, level)]
        far = [bits for bits, mean in points if not _is_near(mean, level)]
        drawn = axes.errorbar(
            [bits for bits, _ in near],
            [mean.value for _, mean in near],
            yerr=[mean.error or 0.0 for _, mean in near],
            fmt="o-",
            ms=4,
            lw=1.2,
            capsize=3,
            color=color,
        )
        edge = {"transform": axes.get_xaxis_transform(), "color": color, "in_layout": False}
        axes.plot(far, [0.97] * len(far), "x", ms=8, **edge)
        handles[name] = drawn
        ticks |= {bits for bits, _ in points}
    for label, (name, color) in LEVELS.items():
        mean = _level(standing, column, label)
        if mean is not None:
            handles[f"{name}, full precision"] = axes.axhline(mean.value, color=color, ls="--")
    metric = "training loss" if column == "train_loss" else f"validation {standing.task.metric}"
    axes.set(xticks=sorted(ticks), xlabel="bits", ylabel=metric)
    axes.set_title(f"{standing.task.name}, {standing.setting}", fontsize=10)
    axes.grid(alpha=0.3)
    return handles


def _level(standing: Standing, column: str, label: str) -> Mean | None:
    found = [candidate for candidate in standing.candidates if candidate.label == label]
    return standing.mean(found[0], column) if found else None


def _is_near(mean: Mean | None, level: Mean | None) -> bool:
    """Whether a point would not hide the differences of the others."""
    if mean is None:
        return False
    return level is None or level.value / FAR < mean.value < level.value * FAR
