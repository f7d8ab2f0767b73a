"""The page's figure: the part of the copy's rate per op, rounding and instruction set."""

from experiments.benchmarks import tables


def draw(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = tables.in_float32(rows)
    labels = list(dict.fromkeys(label for label, _ in tables.keys(rows)))
    series = [(isa, kind) for isa in tables.instruction_sets(rows) for kind in (False, True)]
    thickness = 0.8 / len(series)
    figure, both = plt.subplots(1, 2, figsize=(11, 10), sharey=True, layout="constrained")
    for axes, size in zip(both, tables.SIZES, strict=True):
        for index, (isa, stochastic) in enumerate(series):
            chosen = [
                row
                for row in rows
                if row["isa"] == isa
                and row["elements"] == size
                and (row["rounding"] == "stochastic") == stochastic
            ]
            y = [labels.index(tables.key(r)[0]) + (index + 0.5) * thickness - 0.4 for r in chosen]
            colour = plt.get_cmap("Paired")(2 * (index // 2) + 1 - stochastic)
            name = f"{isa}, {'stochastic' if stochastic else 'deterministic'}"
            axes.barh(y, list(map(tables.reached, chosen)), thickness, color=colour, label=name)
            goals = [(tables.goal(row), at) for row, at in zip(chosen, y, strict=True)]
            goals = [(goal, at) for goal, at in goals if goal is not None]
            axes.vlines(
                [goal for goal, _ in goals],
                [at - thickness / 2 for _, at in goals],
                [at + thickness / 2 for _, at in goals],
                color="black",
                linewidth=2,
                label="target" if index == len(series) - 1 else None,
            )
        axes.axvline(1, color="grey", linewidth=1)
        axes.set_title(f"{tables.SIZES[size]} elements" + (", looped" if size < 1 << 20 else ""))
        axes.set_xlabel("rate of the op / rate of a copy")
        axes.grid(axis="x", alpha=0.3)
    both[0].set_yticks(range(len(labels)), labels)
    both[0].invert_yaxis()
    both[0].margins(y=0.01)
    names = both[1].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=len(series) + 1)
    figure.suptitle("The native ops on float32, against x * c in the same run")
    figure.savefig(path, dpi=120)
