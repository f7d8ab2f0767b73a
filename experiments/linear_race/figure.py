"""The figure: seconds to 1.001 of the least loss, one row per data set, one thread."""

import math

from experiments.linear_race.tables import races, seconds
from tq_halp.commands.bench.rivals.contenders import OURS

TARGET = 1.001


def draw(rows, path):
    """Writes the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    of_one = {data: group for (data, threads), group in races(rows).items() if threads == "1"}
    others = sorted({r["contender"] for g in of_one.values() for r in g} - set(OURS))
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(of_one) + 1.6), layout="constrained")
    # Ten colours, then again with another marker.
    styles = {name: ("os"[i // 10], f"C{i % 10}") for i, name in enumerate(others)}
    styles |= {name: (marker, "black") for name, marker in zip(OURS, "*Px", strict=True)}
    for name, (marker, color) in styles.items():
        points = [
            (1e3 * seconds(row, TARGET), height)
            for height, group in enumerate(of_one.values())
            for row in group
            if row["contender"] == name and seconds(row, TARGET) < math.inf
        ]
        size = 130 if name in OURS else 40
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, color=color, s=size, label=name)
    axes.set_yticks(range(len(of_one)), list(of_one))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds of a whole fit to 1.001 of the least loss, one thread")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
