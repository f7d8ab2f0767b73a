"""Columns that become 0 in the quantized X although the targets depend on them."""

import warnings

import numpy as np

from tq_halp.linear.sklearn_protocol import DataConversionWarning, shared_with_sklearn
from tq_halp.linear.solver_problem import Problem

# Correlation of a column with the residual at the start: it explains 1 % of the variance.
CORRELATED = 0.1


def lost_columns(problem: Problem, data_bits: int) -> np.ndarray:
    """The columns whose elements all quantize to 0, and with which the targets correlate.

    No element reaches half a step of the quantized X, max |x| / (2^(data_bits − 1) − 1) / 2, and
    the correlation with the residual at the start is CORRELATED or more.

    Returns:
        column indices, ascending.
    """
    steps = 2 ** (data_bits - 1) - 1
    scale = 1.0 if problem.scales is None else problem.scales
    largest = problem.columns.largest * scale
    columns = np.flatnonzero((largest > 0) & (largest < largest.max() / steps / 2))
    correlations = np.array([_correlation(problem.x[:, j], problem) for j in columns])
    certain = max(CORRELATED, 4 / np.sqrt(len(problem.x)))  # chance alone stays below
    return columns[correlations >= certain] if len(columns) else columns


def warn_of_lost_columns(problem: Problem, data_bits: int) -> None:
    """Warns, where `fit` was called, that the quantized X lacks `lost_columns`."""
    lost = lost_columns(problem, data_bits)
    if len(lost):
        warnings.warn(
            f"X's columns {', '.join(map(str, lost[:5]))}{', ...' * (len(lost) > 5)} are lost: "
            "they vary with y and are 0 in the quantized X, whose step is that of its largest "
            "element; use feature_scale='per_feature', standardise, or take more data_bits",
            shared_with_sklearn(DataConversionWarning),
            stacklevel=4,
        )


def _correlation(column: np.ndarray, problem: Problem) -> float:
    """The largest |correlation| of a column with the outputs' residuals at the start."""
    residuals = problem.residuals()
    weights = np.ones(len(column)) if problem.weights is None else problem.weights
    column = column.astype(np.float64) / np.abs(column).max()
    if problem.intercept:
        column -= np.average(column, weights=weights)
    dots = (weights * column) @ residuals
    sizes = np.sqrt((weights @ column**2) * (weights @ residuals**2))
    return float(np.max(np.abs(dots) / np.where(sizes > 0, sizes, 1.0)))
