"""The best rate of each candidate, and the table of the losses that it leads to."""

import math

from experiments.best_rate import best_rate, geometric_mean


def best_rates(results):
    """Of each candidate and width the rate with the least training loss, over its seeds.

    Args:
        results: {(name, bits, rate, seed): (training loss, validation loss)}.

    Returns:
        {(name, bits): (rate, training losses of the seeds, validation losses)}. Rates are compared
        by the geometric mean of the training losses: these differ by factors.
    """
    runs = {}
    for (name, bits, rate, seed), losses in results.items():
        runs.setdefault((name, bits), {}).setdefault(rate, {})[seed] = losses
    best = {}
    for key, by_rate in runs.items():
        found = best_rate(by_rate)
        if found is not None:
            rate, losses = found
            best[key] = (rate, losses[:, 0], losses[:, 1])
    return best


def table(best, widths):
    """Training loss / validation loss (rate) of each candidate, in Markdown."""
    lines = [
        "| | full precision | " + " | ".join(f"{bits} bits" for bits in widths) + " |",
        "|---" * (len(widths) + 2) + "|",
    ]
    for name in dict.fromkeys(name for name, _ in best):
        cells = [_cell(best.get((name, bits))) for bits in (None, *widths)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found):
    if found is None:
        return ""
    rate, training, validation = found
    if not geometric_mean(training) < math.inf:
        return "diverged"
    return f"{geometric_mean(training):.2g} / {geometric_mean(validation):.2g} ({rate:g})"
