"""The figure: training and validation loss against the number of bits."""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from experiments.best_rate import geometric_mean


def draw(best, path):
    """A line for each candidate, a point for each seed; full precision is a dashed line.

    Args:
        best: from ``best_rates``.
        path: of the picture.
    """
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for part, (axes, title) in enumerate(zip(panels, ("training", "validation"), strict=True)):
        for number, name in enumerate(dict.fromkeys(name for name, _ in best)):
            color = f"C{number}"
            found = {bits: each[1 + part] for (other, bits), each in best.items() if other == name}
            if None in found:
                axes.axhline(
                    geometric_mean(found.pop(None)), color=color, linestyle="--", label=name
                )
            if not found:
                continue
            widths = sorted(found)
            axes.plot(
                widths, [geometric_mean(found[bits]) for bits in widths], color=color, label=name
            )
            for bits in widths:
                axes.plot([bits] * len(found[bits]), found[bits], ".", color=color, alpha=0.5)
        axes.set_yscale("log")
        axes.set_xlabel("bits of a weight, or of its offset")
        axes.set_title(f"{title} loss")
        axes.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
