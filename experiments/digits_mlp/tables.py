"""The best rate of each candidate, and the table of the losses that it leads to."""

import numpy as np


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
        # While runs are missing: the seeds that every rate has.
        seeds = sorted(set.intersection(*map(set, by_rate.values())))
        losses = {r: np.array([each[seed] for seed in seeds]) for r, each in by_rate.items()}
        if seeds:
            rate = min(losses, key=lambda r: mean(losses[r][:, 0]))
            best[key] = (rate, losses[rate][:, 0], losses[rate][:, 1])
    return best


def mean(losses):
    """The geometric mean; infinite if a run has diverged."""
    losses = np.asarray(losses)
    return float(np.exp(np.mean(np.log(losses)))) if np.all(np.isfinite(losses)) else np.inf


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
    if not mean(training) < np.inf:
        return "diverged"
    return f"{mean(training):.2g} / {mean(validation):.2g} ({rate:g})"
