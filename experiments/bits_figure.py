"""The figure of a comparison over word lengths: where does each algorithm break?"""

import re

from tq_halp.commands.compare.results import Results

NAMES = {"halp": "HALP", "lp": "LP-SGD"}


def draw(results: Results, path) -> None:
    """The metric after the last epoch against the bits in labels such as "halp8" and "lp4".

    Labels without bits are levels; a cross at the upper edge stands for a candidate none of whose
    runs finished.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    metric = results.metrics[-1]
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    lines, levels = by_bits(results, metric)
    for name, points in lines.items():
        reached = [(bits, mean) for bits, mean in points if mean is not None]
        (drawn, *_) = axes.errorbar(
            [bits for bits, _ in reached],
            [mean.value for _, mean in reached],
            yerr=[mean.error or 0.0 for _, mean in reached],
            fmt="o-",
            capsize=4,
            label=NAMES.get(name, name),
        )
        broken = [bits for bits, mean in points if mean is None]
        axes.plot(
            broken,
            [0.97] * len(broken),
            "x",
            transform=axes.get_xaxis_transform(),
            color=drawn.get_color(),
            markersize=10,
        )
    for number, (label, mean) in enumerate(levels.items(), start=len(lines)):
        if mean is not None:
            style = {"color": f"C{number}", "ls": "--", "lw": 1}
            axes.axhline(mean.value, label=f"{label}, float32", **style)
    ticks = sorted({bits for points in lines.values() for bits, _ in points})
    axes.set(xlabel="bits", xticks=ticks, ylabel=f"{metric.name} after the last epoch")
    axes.set_title("Mean and standard error over seeds", fontsize=10)
    lowest, highest = axes.get_ylim()
    if not metric.higher_is_better and not 0 < highest < 10 * lowest:
        axes.set_yscale("log")  # One that diverges without becoming infinite hides the others.
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def by_bits(results, metric):
    """({"halp": [(bits, mean)]}, {"sgd": mean})"""
    lines, levels = {}, {}
    for candidate in results.comparison.candidates:
        mean = results.final(candidate, metric)
        found = re.fullmatch(r"([a-z]+)(\d+)", candidate.label)
        if found:
            lines.setdefault(found[1], []).append((int(found[2]), mean))
        else:
            levels[candidate.label] = mean
    return {name: sorted(points, key=lambda p: p[0]) for name, points in lines.items()}, levels
