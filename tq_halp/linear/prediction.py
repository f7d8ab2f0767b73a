"""Scores of a linear model and class probabilities, in float64."""

import numpy as np

from tq_halp.linear.input_arrays import blocks


def scores(x: np.ndarray, coefficients: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """x·wᵀ + b, float64 [n, outputs].

    Args:
        x: [n, d] of any dtype; converted block by block.
        coefficients: [outputs, d].
        intercepts: [outputs].
    """
    result = np.empty((len(x), len(coefficients)))
    for rows in blocks(x):
        result[rows] = np.ascontiguousarray(x[rows], np.float64) @ coefficients.T + intercepts
    return result


def log_probabilities(scores_: np.ndarray) -> np.ndarray:
    """log softmax of scores [n, outputs], or log σ(−a), log σ(a); float64 [n, classes]."""
    if scores_.shape[1] == 1:
        return -np.logaddexp(0.0, np.hstack([scores_, -scores_]))
    shifted = scores_ - scores_.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean of `values` [n], weighted by `weights` [n] or None."""
    return float(np.average(values, weights=weights))
