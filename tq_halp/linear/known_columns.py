"""What one reading of X tells of its columns: their range, their size, and which to centre.

The step of a quantized X is too coarse for the variation of a column whose mean is large beside its
range, and without quantization the condition number of the problem would grow with the square of
mean / range. With an intercept the column can be centred: w·x + b = w·(x − c) + (b + w·c).
"""

from dataclasses import dataclass, replace

import numpy as np

from quant_ops.linear import Columns
from tq_halp.linear.input_arrays import blocks

# A column is centred if its mean is more than so many times its range.
FAR = 2.0


@dataclass(frozen=True)
class KnownColumns:
    """`found`: the range of X's columns, and the squares of the centred ones, as the solver takes
    them. `centre` float64 [d] is None where nothing is centred."""

    found: Columns
    centre: np.ndarray | None = None

    @property
    def largest(self) -> np.ndarray:
        """max_i |x_ij| of the centred columns, [d]."""
        centre = 0.0 if self.centre is None else self.centre
        return np.maximum(np.abs(self.found.low - centre), np.abs(self.found.high - centre))

    def mean_square(self, samples: int, scales: np.ndarray | None) -> float:
        """That of an element of the centred X, its columns multiplied by `scales`."""
        factors = 1.0 if scales is None else np.square(scales)
        return float(np.mean(self.found.squares * factors) / samples)


def centred(found: Columns, x: np.ndarray, weights: np.ndarray | None) -> KnownColumns:
    """Centres the columns whose weighted mean exceeds FAR times their range.

    Args:
        found: what is known of x.
        x: [n, d]; read again, twice, where there is such a column.
        weights: [n] or None.
    """
    low, high = found.low, found.high
    # All elements of such a column are larger than its range.
    nearest = np.where((low > 0) | (high < 0), np.minimum(np.abs(low), np.abs(high)), 0.0)
    candidates = np.flatnonzero(nearest > (FAR - 1) * (high - low))
    if not len(candidates):
        return KnownColumns(found)
    means = np.clip(_means(x, candidates, weights), low[candidates], high[candidates])
    far = np.abs(means) > FAR * (high - low)[candidates]
    if not far.any():
        return KnownColumns(found)
    candidates, means = candidates[far], means[far]
    centre, squares = np.zeros(x.shape[1]), found.squares.copy()
    centre[candidates] = means
    squares[candidates] = sum(
        np.square(x[rows][:, candidates].astype(np.float64) - means).sum(axis=0)
        for rows in blocks(x)
    )
    return KnownColumns(replace(found, squares=squares), centre)


def _means(x: np.ndarray, columns: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The weighted means of some columns."""
    total = np.zeros(len(columns))
    for rows in blocks(x):
        block = x[rows][:, columns].astype(np.float64)
        total += block.sum(axis=0) if weights is None else weights[rows] @ block
    return total / (len(x) if weights is None else weights.sum())
