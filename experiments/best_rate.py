"""The best of several learning rates, by the geometric mean of what is measured over seeds."""

import numpy as np


def best_rate(by_rate):
    """The rate with the least geometric mean, and what was measured with it.

    Args:
        by_rate: {rate: {seed: what was measured, a number or several}}; the first one decides.

    Returns:
        The rate, and an array of shape (seeds, numbers), of the seeds that every rate has. None if
        there are none yet.
    """
    seeds = sorted(set.intersection(*map(set, by_rate.values())))
    if not seeds:
        return None
    found = {
        rate: np.reshape([of[seed] for seed in seeds], (len(seeds), -1))
        for rate, of in by_rate.items()
    }
    rate = min(found, key=lambda each: geometric_mean(found[each][:, 0]))
    return rate, found[rate]


def geometric_mean(values):
    """Of positive numbers that differ by factors; infinite if a run has diverged."""
    values = np.asarray(values)
    return float(np.exp(np.mean(np.log(values)))) if np.all(np.isfinite(values)) else np.inf
