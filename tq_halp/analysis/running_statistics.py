"""Running statistics of one tensor over batches, in constant memory."""

import math

import numpy as np

from tq_halp.analysis.histogram import MagnitudeHistogram, ValueHistogram
from tq_halp.analysis.suggest_frac_bits import FractionBits, decibels, sum_of_squares

_PIECE = 1 << 16  # elements that fit the cache, for several passes over them


class Tally:
    """Range, shares, signal-to-noise ratio and histograms of x and Q(x), summed over batches.

    Computed in float64 over the n finite elements. NaN and infinities are only counted.

        saturation = #{x < lowest or x > highest} / n     None without limits
        underflow  = #{x ≠ 0 and Q(x) = 0} / n
        sqnr_db    = 10 log10(Σ x² / Σ (x − Q(x))²)       infinite without error, None if x = 0

    Args:
        limits: (lowest, highest) number of the format; None for a format without fixed limits.
        suggestion: collects the values too, to suggest a fraction length.
    """

    def __init__(self, limits: tuple[float, float] | None, suggestion: FractionBits) -> None:
        self.limits = limits
        self.suggestion = suggestion
        self.values, self.magnitudes = ValueHistogram(), MagnitudeHistogram()
        self.count = self.nonfinite = 0
        self.min, self.max = math.inf, -math.inf
        self._saturated = self._underflowed = 0
        self._power = self._error = 0.0

    def add(self, x: np.ndarray, quantized: np.ndarray) -> None:
        """Adds a tensor before and after quantization: arrays of one shape and any float dtype."""
        x, quantized = np.ravel(x), np.ravel(quantized)
        for start in range(0, len(x), _PIECE):
            piece = slice(start, start + _PIECE)
            self._add(x[piece].astype(np.float64), quantized[piece].astype(np.float64))

    def _add(self, x: np.ndarray, quantized: np.ndarray) -> None:
        finite = np.isfinite(x)
        if not finite.all():
            x, quantized = x[finite], quantized[finite]
            self.nonfinite += int(np.sum(~finite))
        if not len(x):
            return
        self.count += len(x)
        self.min, self.max = min(self.min, float(x.min())), max(self.max, float(x.max()))
        if self.limits is not None:
            self._saturated += int(np.sum((x < self.limits[0]) | (x > self.limits[1])))
        self._underflowed += int(np.sum((quantized == 0) & (x != 0)))
        self._power += sum_of_squares(x)
        self._error += sum_of_squares(x - quantized)
        for part in (self.values, self.magnitudes, self.suggestion):
            part.add(x)

    @property
    def saturation(self) -> float | None:
        """Share of x outside the limits; None without limits or elements."""
        return self._saturated / self.count if self.count and self.limits is not None else None

    @property
    def underflow(self) -> float | None:
        """Share of x ≠ 0 with Q(x) = 0; None without elements."""
        return self._underflowed / self.count if self.count else None

    @property
    def sqnr_db(self) -> float | None:
        """Signal-to-quantization-noise ratio in decibels; None if x = 0."""
        return decibels(self._power, self._error)
