"""The best rate of each candidate, and the table of the gradient norms that it leads to."""

from experiments.best_rate import best_rate, geometric_mean

#: Numbers of passes over the data after which the gradient is looked at.
LOOKS = (6, 12, 30, 60)


def best_rates(results):
    """For each candidate and number of passes the least geometric mean over its seeds.

    Args:
        results: {(name, rate, seed): {passes: norm}}.

    Returns:
        {name: {passes: (norm, rate)}}, over the seeds that every rate has.
    """
    runs = {}
    for (name, rate, seed), norms in results.items():
        for passes, norm in norms.items():
            by_rate = runs.setdefault(name, {}).setdefault(passes, {})
            by_rate.setdefault(rate, {})[seed] = norm
    return {
        name: {passes: _best(by_rate) for passes, by_rate in by_passes.items()}
        for name, by_passes in runs.items()
    }


def _best(by_rate):
    found = best_rate(by_rate)
    if found is None:
        return None
    rate, norms = found
    return geometric_mean(norms), rate


def table(best):
    """‖∇f‖ (rate) of each candidate after so many passes, in Markdown."""
    lines = [
        "| passes over the data | " + " | ".join(map(str, LOOKS)) + " |",
        "|---" * (len(LOOKS) + 1) + "|",
    ]
    for name, by_passes in best.items():
        cells = [_cell(by_passes.get(passes)) for passes in LOOKS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found):
    return "" if found is None else f"{found[0]:.2g} ({found[1]:g})"
