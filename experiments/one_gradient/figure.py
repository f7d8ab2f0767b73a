"""The figure: the gradient's norm against the passes over the data."""


def draw(best, path):
    """Args:
    best: ``table.best_rates``.
    path: of the PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5))
    colours = pyplot.get_cmap("tab20").colors
    for (name, by_passes), colour in zip(best.items(), colours, strict=False):
        points = sorted((passes, norm) for passes, (norm, _) in by_passes.items())
        axes.plot(*zip(*points, strict=True), "o-", label=name, color=colour)
    axes.set(xlabel="gradients, in passes over the data", ylabel="norm of the gradient")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
