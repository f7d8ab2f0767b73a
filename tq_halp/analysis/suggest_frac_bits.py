"""The fraction length with the largest signal-to-noise ratio for a tensor, found in one pass."""

import math

import numpy as np

# Fraction lengths are searched up to so many bits above the one that covers the range.
FINER = 6
LOWEST, HIGHEST = -512, 512  # the range of `FixedPoint.frac_bits`


class FractionBits:
    """The fraction length f of w-bit fixed point with the least error on a tensor, over batches.

        q_f(x)   = 2^-f clip(round(2^f x), lo, hi)     ties to even; lo..hi the w-bit codes
        E(f)     = Σ (x − q_f(x))²
        covering = the largest f with lo 2^-f ≤ min x and max x ≤ hi 2^-f
        best     = the f in covering..covering + 6 with the smallest E(f); the smallest f of equals

    A smaller f than `covering` cannot be better. A larger f can: it clips a few large values, and
    rounds all others less. As the signal power does not depend on f, the smallest E(f) gives the
    largest signal-to-noise ratio.

    E is exact, although the range is known only after the last batch. For every f with 2^-f at
    least twice the largest magnitude so far, all values become 0, and E(f) is their power. So E(f)
    needs to be kept for the other f only.

    Args:
        word_bits: w, 1 to 64.
        signed: whether codes are two's complement; otherwise they start at 0.
    """

    def __init__(self, word_bits: int, signed: bool = True) -> None:
        self._low = -(2.0 ** (word_bits - 1)) if signed else 0.0
        self._high = 2.0 ** (word_bits - signed) - 1
        self._errors: dict[int, float] = {}  # E by f, of consecutive f
        self._power = 0.0
        self._covering: int | None = None

    def add(self, x: np.ndarray) -> None:
        """Adds a batch: finite float64 values, [n] with n ≥ 1."""
        power = sum_of_squares(x)
        largest = [float(x.max()) if self._high > 0 else 0.0, -float(x.min()) if self._low else 0.0]
        if max(largest) > 0:
            self._make_room(self._cover(*largest), _all_zero_from(max(largest)))
        for f in self._errors:
            self._errors[f] += power if max(largest) <= 2.0**-f / 2 else self._error(x, f)
        self._power += power

    @property
    def covering(self) -> int | None:
        """The largest fraction length that clips nothing; None if only 0 is representable."""
        return self._covering

    @property
    def best(self) -> int | None:
        """The fraction length with the least error; None as for `covering`."""
        if self._covering is None:
            return None
        return min(range(self._covering, max(self._errors) + 1), key=lambda f: (self._errors[f], f))

    @property
    def sqnr_db(self) -> float | None:
        """10 log10(Σ x² / E(best)); infinite if E is 0."""
        return None if self.best is None else decibels(self._power, self._errors[self.best])

    def _cover(self, above: float, below: float) -> int:
        """The largest f whose range holds -below..above. A bound of 0 or less does not count."""
        found = HIGHEST
        for size, code in ((above, self._high), (below, -self._low)):
            if size > 0:
                f = math.floor(math.log2(code) - math.log2(size)) + 1
                while f > LOWEST and not code * 2.0**-f >= size:  # logarithms are rounded
                    f -= 1
                found = min(found, f)
        return max(found, LOWEST)

    def _make_room(self, covering: int, coarsest: int) -> None:
        if self._covering is None or covering < self._covering:
            self._covering = covering
        finest = min(self._covering + FINER, HIGHEST)
        coarsest = min(coarsest, *self._errors, self._covering)
        self._errors = {
            f: self._errors.get(f, self._power) for f in range(max(coarsest, LOWEST), finest + 1)
        }

    def _error(self, x: np.ndarray, f: int) -> float:
        difference = np.clip(np.rint(x * 2.0**f), self._low, self._high)
        difference *= 2.0**-f
        difference -= x
        return sum_of_squares(difference)


def sum_of_squares(x: np.ndarray) -> float:
    """Σ x², infinite if it overflows."""
    with np.errstate(over="ignore"):
        return float(np.dot(x, x))


def decibels(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise); infinite without noise; None if the signal is 0 or infinite."""
    if not 0 < signal < math.inf:
        return None
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)


def _all_zero_from(size: float) -> int:
    """The largest f with 2^-f ≥ 2 size, so that size rounds to 0 (a tie goes to the even code)."""
    mantissa, exponent = math.frexp(size)  # size = mantissa 2^exponent, 1/2 ≤ mantissa < 1
    return -exponent if mantissa == 0.5 else -exponent - 1
