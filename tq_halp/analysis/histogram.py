"""Histograms of values in batches, whose range is not known before the last batch."""

import numpy as np

HALF = 64  # bins on each side of 0
_LOWEST, _HIGHEST = -1100, 1100  # exponents of float64, with room


class ValueHistogram:
    """Counts in 128 bins of one width over [−R, R), R a power of two above every magnitude.

    If a value is too large, R doubles until it fits, and neighbouring bins are merged. The edges
    are integers times a power of two, so the counts equal those of all values binned at once.
    """

    def __init__(self) -> None:
        self._exponent: int | None = None  # R = 2^exponent; None while all values are 0
        self._counts = np.zeros(2 * HALF, np.int64)
        self._zeros = 0

    def add(self, x: np.ndarray) -> None:
        """Adds finite float64 values, [n]."""
        rest = x[x != 0]
        self._zeros += len(x) - len(rest)
        if not len(rest):
            return
        exponent = int(np.frexp(np.max(np.abs(rest)))[1])
        if self._exponent is None:
            self._exponent = exponent
        while self._exponent < exponent:
            self._counts = np.pad(self._counts.reshape(-1, 2).sum(axis=1), HALF // 2)
            self._exponent += 1
        bins = np.floor(np.ldexp(rest, HALF.bit_length() - 1 - self._exponent)).astype(np.int64)
        self._counts += np.bincount(bins + HALF, minlength=2 * HALF)

    @property
    def edges(self) -> np.ndarray:
        """The edges of the bins, [129], ascending. A bin includes its lower edge only."""
        radius = 2.0 ** (self._exponent or 0)
        return np.linspace(-radius, radius, 2 * HALF + 1)

    @property
    def counts(self) -> np.ndarray:
        """The number of values in each bin, [128], zeros included."""
        counts = self._counts.copy()
        counts[HALF] += self._zeros
        return counts


class MagnitudeHistogram:
    """The number of values with floor(log2|x|) = e, for each e."""

    def __init__(self) -> None:
        self._counts = np.zeros(_HIGHEST - _LOWEST, np.int64)

    def add(self, x: np.ndarray) -> None:
        """Adds finite float64 values, [n]. Zeros are not counted."""
        exponents = np.frexp(x[x != 0])[1] - 1
        self._counts += np.bincount(exponents - _LOWEST, minlength=len(self._counts))

    @property
    def counts(self) -> dict[int, int]:
        """{e: number of values}, for all e from the smallest to the largest that occurs."""
        present = np.flatnonzero(self._counts)
        if not len(present):
            return {}
        return {int(e) + _LOWEST: int(self._counts[e]) for e in range(present[0], present[-1] + 1)}
