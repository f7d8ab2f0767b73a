"""Scores of a linear model and probabilities from them, in float64, block by block."""

import numpy as np

from tq_halp.linear.input_arrays import blocks


def scores(x, coefficients, intercepts) -> np.ndarray:
    """x·wᵀ + b: [n, d] of any dtype, [outputs, d] and [outputs] give float64 [n, outputs]."""
    result = np.empty((len(x), len(coefficients)))
    for rows in blocks(x):
        result[rows] = x[rows].astype(np.float64, copy=False) @ coefficients.T + intercepts
    return result


def log_probabilities(scores_) -> np.ndarray:
    """log softmax; of one score a, log σ(−a) and log σ(a)."""
    if scores_.shape[1] == 1:
        return -np.logaddexp(0.0, np.hstack([scores_, -scores_]))
    shifted = scores_ - scores_.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean(values, weights) -> float:
    """The weighted mean over samples."""
    return float(np.average(values, weights=weights))
