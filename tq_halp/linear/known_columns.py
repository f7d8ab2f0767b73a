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
    """float64 [d] each, of the centred columns; centre is None where nothing is centred."""

    low: np.ndarray
    high: np.ndarray
    squares: np.ndarray
    centre: np.ndarray | None = None

    @property
    def largest(self) -> np.ndarray:
        """max_i |x_ij|."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def for_solver(self) -> Columns:
        """As the solver takes them: the range of X itself, the squares of the centred columns."""
        centre = 0.0 if self.centre is None else self.centre
        return Columns(self.low + centre, self.high + centre, self.squares)

    def mean_square(self, samples: int, scales: np.ndarray | None) -> float:
        """That of an element of X, its columns multiplied by `scales`."""
        factors = 1.0 if scales is None else np.square(scales)
        return float(np.sum(self.squares * factors) / samples / len(self.squares))


def centred(columns: Columns, x: np.ndarray, weights: np.ndarray | None) -> KnownColumns:
    """Centres the columns whose weighted mean exceeds FAR times their range.

    Args:
        columns: what was found in x.
        x: [n, d]; read again, twice, where there is such a column.
        weights: [n] or None.
    """
    known = KnownColumns(columns.low, columns.high, columns.squares)
    # All elements of such a column are larger than its range.
    width = known.high - known.low
    nearest = np.where((known.low > 0) | (known.high < 0), 1.0, 0.0)
    nearest *= np.minimum(np.abs(known.low), np.abs(known.high))
    candidates = np.flatnonzero(nearest > (FAR - 1) * width)
    if not len(candidates):
        return known
    means = np.clip(_means(x, candidates, weights), known.low[candidates], known.high[candidates])
    far = np.abs(means) > FAR * width[candidates]
    if not far.any():
        return known
    candidates, means = candidates[far], means[far]
    centre, squares = np.zeros(x.shape[1]), known.squares.copy()
    centre[candidates] = means
    squares[candidates] = sum(
        np.square(x[rows][:, candidates].astype(np.float64) - means).sum(axis=0)
        for rows in blocks(x)
    )
    return replace(
        known, low=known.low - centre, high=known.high - centre, squares=squares, centre=centre
    )


def _means(x: np.ndarray, columns: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The weighted means of some columns."""
    total = np.zeros(len(columns))
    for rows in blocks(x):
        block = x[rows][:, columns].astype(np.float64)
        total += block.sum(axis=0) if weights is None else weights[rows] @ block
    return total / (len(x) if weights is None else weights.sum())
