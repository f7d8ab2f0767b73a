"""Columns that the quantized X does not show, though they tell of the targets."""

import numpy as np

from tq_halp.linear.input_arrays import few_rows, largest_in_columns

# Of a column and what is to be explained at the start: a hundredth of its variance.
CORRELATED = 0.1


def lost_columns(problem, data_bits: int) -> np.ndarray:
    """The columns with no element of half a step, max |x| / (2^(data_bits − 1) − 1) / 2, or more,
    of which the targets depend: correlation of CORRELATED or more.

    Most data is known not to have one from a few rows; else it is one or two passes over X.

    Returns:
        indices, ascending.
    """
    steps = 2 ** (data_bits - 1) - 1
    scale = 1.0 if problem.scales is None else problem.scales
    x = problem.x
    # No element is larger than the largest row.
    half = np.sqrt(problem.norms.max()) / steps / 2
    if not (np.abs(few_rows(x) * scale).max(axis=0) < half).any():
        return np.zeros(0, np.intp)
    largest = largest_in_columns(x) * scale
    columns = np.flatnonzero((largest > 0) & (largest < largest.max() / steps / 2))
    correlations = np.array([_correlation(x[:, j], problem) for j in columns])
    certain = max(CORRELATED, 4 / np.sqrt(len(x)))  # what chance alone makes is below
    return columns[correlations >= certain] if len(columns) else columns


def _correlation(column, problem) -> float:
    """The largest of those with each output's residual at the start."""
    residuals = problem.residuals()
    weights = np.ones(len(column)) if problem.weights is None else problem.weights
    column = column.astype(np.float64) / np.abs(column).max()
    if problem.intercept:
        column -= np.average(column, weights=weights)
    dots = (weights * column) @ residuals
    sizes = np.sqrt((weights @ column**2) * (weights @ residuals**2))
    return float(np.max(np.abs(dots) / np.where(sizes > 0, sizes, 1.0)))
