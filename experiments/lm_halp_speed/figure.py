"""The page's figure: gradient norms against outer epochs, and against seconds."""

import numpy as np

BASELINES = "SGD", "SVRG", "LP"


def draw(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    problems = list(dict.fromkeys(row["problem"] for row in rows))
    kinds = list(dict.fromkeys(kind(row["algorithm"]) for row in rows))
    figure, grid = plt.subplots(
        len(problems), 2, figsize=(12, 4.6 * len(problems)), squeeze=False, layout="constrained"
    )
    for (left, right), problem in zip(grid, problems, strict=True):
        chosen = [row for row in rows if row["problem"] == problem]
        for name in dict.fromkeys(row["algorithm"] for row in chosen):
            norms, seconds = curves([row for row in chosen if row["algorithm"] == name])
            style = "--" if name.startswith(BASELINES) else "-"
            colour = plt.get_cmap("tab20")(kinds.index(kind(name)))
            for axes, at in ((left, np.arange(norms.shape[1])), (right, seconds)):
                axes.plot(at, norms.mean(axis=0), style, label=name, color=colour)
                axes.fill_between(at, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.2)
        right.locator_params(axis="x", nbins=6)
        left.set_xlabel("outer epochs")
        right.set_xlabel("seconds, of inner steps and full gradients")
        left.set_ylabel("gradient norm")
        left.set_title(problem)
        right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        for axes in (left, right):
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def kind(name):
    """What has one colour everywhere: the baselines are in the precision of the data."""
    return name.split(", float")[0]


def curves(rows):
    """Norms [seeds, epochs], and the seconds of each epoch's end, mean over the seeds."""
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    parts = [[row for row in rows if row["seed"] == seed] for seed in seeds]
    norms = np.array([[row["gradient_norm"] for row in part] for part in parts])
    seconds = np.array([[row["seconds"] for row in part] for part in parts])
    return norms, seconds.mean(axis=0)
