"""Which fraction length suits a tensor: the signal-to-noise ratio of each, exactly, in one pass."""

import math

import numpy as np

# Beyond these many bits finer than what covers the range, nobody would clip so much.
FINER = 6
LOWEST, HIGHEST = -512, 512  # what `FixedPoint` takes


class FractionBits:
    """The fraction length f of w-bit fixed point that loses least of a tensor seen in batches.

        q_f(x)   = 2^-f clip(round(2^f x), lo, hi)     ties to even; lo..hi the w-bit codes
        E(f)     = Σ (x − q_f(x))²
        covering = the largest f with lo 2^-f ≤ min x and max x ≤ hi 2^-f
        best     = the f of covering, ..., covering + 6 with the smallest E(f); of two, the smaller

    A coarser f than `covering` cannot be better; a finer one can, where a few large values are
    clipped so that all others are rounded less. As signal power does not depend on f, the smallest
    E(f) is the largest signal-to-noise ratio.

    E is exact although ranges are only known in the end: where 2^-f is at least twice as large as
    all values so far, they all become 0, and E(f) is their power. So E(f) is kept for what remains.

    Args:
        word_bits: w, 1 to 64.
        signed: whether codes are two's complement, or start at 0.
    """

    def __init__(self, word_bits: int, signed: bool = True) -> None:
        self._low = -(2.0 ** (word_bits - 1)) if signed else 0.0
        self._high = 2.0 ** (word_bits - signed) - 1
        self._errors: dict[int, float] = {}  # E by f, of consecutive f
        self._power = 0.0
        self._covering: int | None = None

    def add(self, x: np.ndarray) -> None:
        """Takes a batch: finite float64 values, [n] with n ≥ 1."""
        power = sum_of_squares(x)
        largest = [float(x.max()) if self._high > 0 else 0.0, -float(x.min()) if self._low else 0.0]
        if max(largest) > 0:
            self._make_room(self._cover(*largest), _all_zero_from(max(largest)))
        for f in self._errors:
            self._errors[f] += power if max(largest) <= 2.0**-f / 2 else self._error(x, f)
        self._power += power

    @property
    def covering(self) -> int | None:
        """The fraction length for the whole range; None where nothing but 0 can be represented."""
        return self._covering

    @property
    def best(self) -> int | None:
        """The fraction length of the least error; None likewise."""
        if self._covering is None:
            return None
        return min(range(self._covering, max(self._errors) + 1), key=lambda f: (self._errors[f], f))

    @property
    def sqnr_db(self) -> float | None:
        """10 log10(Σ x² / E(best)), infinite where E is 0."""
        return None if self.best is None else decibels(self._power, self._errors[self.best])

    def _cover(self, above: float, below: float) -> int:
        """The largest f for a maximum `above` 0 and a minimum `below` it (0 or less: none)."""
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
    """Infinite where it is beyond floats."""
    with np.errstate(over="ignore"):
        return float(np.dot(x, x))


def decibels(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise); infinite without noise, None of no signal or one beyond floats."""
    if not 0 < signal < math.inf:
        return None
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)


def _all_zero_from(size: float) -> int:
    """The largest f with 2^-f ≥ 2 size: a tie, half a step, goes to the even code 0."""
    mantissa, exponent = math.frexp(size)  # size = mantissa 2^exponent, 1/2 ≤ mantissa < 1
    return -exponent if mantissa == 0.5 else -exponent - 1
