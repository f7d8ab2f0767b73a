"""Who is best in each cell of the map: the tables and the figure."""

from experiments.best_rate import best_rate, geometric_mean
from experiments.regimes.problems import RATES

#: Numbers of passes over the data after which the loss is looked at; multiples of HALP's three.
LOOKS = (6, 12, 30, 60)
#: f − f* up to so many times the least one is called as good.
AS_GOOD = 1.5
COLOURS = {
    "LP-SGD": "#b07a56",
    "LP-SGD, error feedback": "#e6a23c",
    "BC-SGD": "#6aa5d8",
    "HALP": "#3d5a99",
    "BC-SAGA": "#3f9c6b",
}


def best_of(results):
    """The best rate of each candidate in each cell.

    Args:
        results: {(candidate, bits, condition, rate, seed): {passes: f − f*}}.

    Returns:
        {(condition, bits, passes): {candidate: f − f*}}; bits is 0 in full precision. Candidates
        that have not been tried with all rates on a common seed are left out.
    """
    runs = {}
    for (name, bits, condition, rate, seed), losses in results.items():
        for passes, loss in losses.items():
            by_rate = runs.setdefault((condition, bits, passes), {}).setdefault(name, {})
            by_rate.setdefault(rate, {})[seed] = loss
    found = {}
    for cell, candidates in runs.items():
        for name, by_rate in candidates.items():
            best = best_rate(by_rate) if len(by_rate) == len(RATES) else None
            if best is not None:
                found.setdefault(cell, {})[name] = geometric_mean(best[1])
    return found


def as_good(losses):
    """The names of the best candidates of a cell, the best first."""
    least = min(losses.values())
    return [name for name in sorted(losses, key=losses.get) if losses[name] <= AS_GOOD * least]


def tables(best):
    """For each problem, in Markdown: who is best at so many bits, and its f − f*."""
    parts = []
    for kind, cells in best.items():
        if not cells:
            continue
        lines = [
            f"**{kind.capitalize()}**",
            "",
            "| κ | bits | " + " | ".join(f"{passes} passes" for passes in LOOKS) + " |",
            "|---" * (2 + len(LOOKS)) + "|",
        ]
        for condition, bits in sorted({cell[:2] for cell in cells}, key=lambda c: (c[0], -c[1])):
            row = [cells.get((condition, bits, passes), {}) for passes in LOOKS]
            name = bits or "SGD in full precision"
            lines.append(f"| {condition} | {name} | " + " | ".join(map(_cell, row)) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(losses):
    if not losses:
        return ""
    names = [name for name in as_good(losses) if name != "SGD"]
    return f"{min(losses.values()):.1e} {'; '.join(names)}".strip()


def draw(best, path):
    """A coloured map for each problem: rows are κ and bits, columns are budgets.

    Args:
        best: {problem: as ``best_of`` returns}.
        path: of the PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import patches, pyplot

    known = {kind: cells for kind, cells in best.items() if cells}
    if not known:
        return
    figure, all_axes = pyplot.subplots(1, len(known), figsize=(5 * len(known), 6), squeeze=False)
    for axes, (kind, cells) in zip(all_axes[0], known.items(), strict=True):
        rows = sorted({cell[:2] for cell in cells if cell[1]}, key=lambda c: (c[0], -c[1]))
        for y, (condition, bits) in enumerate(rows):
            for x, passes in enumerate(LOOKS):
                losses = cells.get((condition, bits, passes))
                if losses:
                    _draw_cell(axes, patches, x, y, losses)
        axes.set(
            xlim=(0, len(LOOKS)),
            ylim=(len(rows), 0),
            title=kind,
            xticks=[x + 0.5 for x in range(len(LOOKS))],
            yticks=[y + 0.5 for y in range(len(rows))],
            xlabel="gradients, in passes over the data",
        )
        axes.set_xticklabels(LOOKS)
        axes.set_yticklabels([f"κ = {condition}, {bits} bits" for condition, bits in rows])
    shown = [patches.Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=shown, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _draw_cell(axes, patches, x, y, losses):
    """One stripe for each of the best, and the least f − f*."""
    names = as_good(losses)
    for k, name in enumerate(names):
        corner = (x + k / len(names), y)
        stripe = patches.Rectangle(corner, 1 / len(names), 1, color=COLOURS[name], linewidth=0)
        axes.add_patch(stripe)
    axes.add_patch(patches.Rectangle((x, y), 1, 1, fill=False, edgecolor="white", linewidth=2))
    text = f"{min(losses.values()):.0e}"
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8, color="white")
