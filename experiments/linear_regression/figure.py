"""The figure: gradient norms against outer epochs."""

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot

#: In the names of rows of HALP that chooses its own μ.
AUTO = "μ = auto"
#: What stands beside HALP that chooses its own μ.
BESIDE = ("SVRG, float64", "HALP 4 b, μ = 0.5")


def draw(results, path):
    """Left what is given its grid or its μ, right what chooses it, each beside SVRG."""
    figure, panels = pyplot.subplots(1, 2, figsize=(13, 7), sharey=True, layout="constrained")
    chosen = [name for name in results if AUTO in name]
    rest = [name for name in results if name not in chosen]
    chosen = [name for name in BESIDE if name in results] + chosen
    for axes, names in zip(panels, (rest, chosen), strict=True):
        for name in names:
            _draw_row(axes, name, results[name], list(results).index(name))
        axes.set_yscale("log")
        axes.set_ylim(1e-16, 1e3)
        axes.set_xlabel("outer epochs k (each 2N inner steps)")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)
    panels[0].set_ylabel("gradient norm ‖∇f(w̃)‖₂")
    panels[0].set_title("grid or μ given")
    panels[1].set_title('HALP with mu="auto"')
    figure.suptitle("Least squares, N = 1000, d = 100, batch size 1: mean and range over seeds")
    figure.savefig(path, dpi=120)


def _draw_row(axes, name, runs, number):
    length = max(map(len, runs))
    padded = np.array([run + [np.nan] * (length - len(run)) for run in runs])
    k = np.arange(length)
    colour = matplotlib.colormaps["tab20"](number % 20)
    style = "--" if "SGD" in name or "SVRG" in name else "-"
    # Rows that coincide with a float64 baseline are drawn over its wide band.
    wide = {"linewidth": 6, "alpha": 0.4} if "float64" in name else {"linestyle": style}
    axes.plot(k, padded.mean(axis=0), label=name, color=colour, **wide)
    axes.fill_between(k, padded.min(axis=0), padded.max(axis=0), color=colour, alpha=0.2)
