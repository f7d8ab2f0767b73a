"""Centring of columns whose mean is large beside their range.

The step of a quantized X is too coarse for the variation of such a column, and without quantization
the condition number of the problem would grow with the square of mean / range. With an intercept
the column can be centred: w·x + b = w·(x − c) + (b + w·c).
"""

import numpy as np

from tq_halp.linear.input_arrays import blocks, few_rows

# A column is centred if its mean is more than so many times its range.
FAR = 2.0


def centre_of(x: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """The weighted mean of each column whose mean exceeds FAR times its range, else 0.

    Args:
        x: [n, d].
        weights: [n] or None.

    Returns:
        float64 [d]; None if there is no such column.
    """
    few = few_rows(x)
    # All elements of such a column are larger than its range, and so than that of a few rows.
    columns = np.flatnonzero(np.abs(few).min(axis=0) > (FAR - 1) * np.ptp(few, axis=0))
    if not len(columns):
        return None
    values = x[:, columns].astype(np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    means = np.clip(np.average(values, axis=0, weights=weights), low, high)
    is_far = np.abs(means) > FAR * (high - low)
    if not is_far.any():
        return None
    centre = np.zeros(x.shape[1])
    centre[columns] = np.where(is_far, means, 0.0)
    return centre


def centred(x: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """x − centre, float64 if x is, else float32."""
    result = np.empty(x.shape, np.float64 if x.dtype == np.float64 else np.float32)
    for rows in blocks(x):
        result[rows] = x[rows].astype(np.float64) - centre
    return result
