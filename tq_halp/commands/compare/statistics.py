"""Means with standard errors over seeds, paired differences with a t-test, Holm's correction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """x̄ = Σ x / n and its standard error √(Σ (x − x̄)² / (n − 1) / n), None for n = 1."""

    value: float
    error: float | None
    count: int


# Of an interval of 95 %, on either side.
_TAIL = 0.025
# From here on SciPy is slow, and T differs by less than 0.1 % from δ √(degrees / χ²).
_LARGE = 1000
#: A number and its interval of 95 %.
Estimate = tuple[float, float, float]


@dataclass(frozen=True)
class Paired:
    """Differences d of pairs with the same seed, and how often ours was better, equal or worse.

    difference: d̄ and its standard error over the pairs in which both finished; None without any.
    interval: d̄ ± t(0.975, n − 1) · error, where the true mean difference is with a confidence of
        95 %; None for fewer than two pairs.
    p: two-sided p value of Student's paired t-test, H0: d̄ = 0, t = d̄ / error with n − 1 degrees
        of freedom; None for fewer than two pairs. Without any spread: 0, or 1 where d̄ = 0.
    effect: Cohen's d_z = d̄ / s, s the standard deviation of the differences, and its interval:
        t = d_z √n is of Student's noncentral distribution, and the interval holds each true d_z
        for which neither tail beyond t is below 0.025. None for fewer than two pairs, or without
        spread.
    wins, ties, losses: a run that failed lost to one that did not; where both failed, none counts.
    """

    difference: Mean | None
    interval: tuple[float, float] | None
    p: float | None
    effect: Estimate | None
    wins: int
    ties: int
    losses: int
    count: int


def mean_of(values: Sequence[float]) -> Mean | None:
    """The mean and standard error of values; None of no values."""
    n = len(values)
    if n == 0:
        return None
    if n == 1:
        return Mean(values[0], None, 1)
    if min(values) == max(values):  # Their sum may have rounding errors.
        return Mean(values[0], 0.0, n)
    mean = sum(values) / n
    variance = sum((value - mean) * (value - mean) for value in values) / (n - 1)
    return Mean(mean, math.sqrt(variance / n), n)


def compare(
    pairs: Sequence[tuple[float | None, float | None]], higher_is_better: bool = False
) -> Paired:
    """The statistics of pairs (ours, theirs); None stands for a run that failed."""
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    difference = mean_of([a - b for a, b in both])
    ahead = sum(a > b if higher_is_better else a < b for a, b in both)
    equal = sum(a == b for a, b in both)
    only_theirs_failed = sum(a is not None and b is None for a, b in pairs)
    only_ours_failed = sum(a is None and b is not None for a, b in pairs)
    test = _test_of(difference)
    return Paired(
        difference,
        None if test is None else test.interval(),
        None if test is None else test.p(),
        None if test is None else test.effect(),
        ahead + only_theirs_failed,
        equal,
        len(both) - ahead - equal + only_ours_failed,
        len(pairs),
    )


@dataclass(frozen=True)
class _Test:
    """What Student's paired t-test is about: d̄, its standard error, and the number of pairs."""

    mean: float
    error: float
    count: int

    def interval(self) -> tuple[float, float]:
        from scipy import stats  # In functions, for it takes a second to import.

        half = float(stats.t.isf(_TAIL, self.count - 1)) * self.error
        return self.mean - half, self.mean + half

    def p(self) -> float:
        from scipy import stats

        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.mean / self.error), self.count - 1))

    def effect(self) -> Estimate | None:
        from scipy import special

        if self.error == 0:
            return None
        t, root, degrees = self.mean / self.error, math.sqrt(self.count), self.count - 1
        low, high = (
            # The noncentrality with which P(T ≤ t) is that.
            special.nctdtrinc(degrees, p, t)
            if abs(t) <= _LARGE
            else t * math.sqrt(special.chdtri(degrees, p if t > 0 else 1 - p) / degrees)
            for p in (1 - _TAIL, _TAIL)
        )
        return t / root, float(low) / root, float(high) / root


def _test_of(difference: Mean | None) -> _Test | None:
    """None where a mean difference has no error."""
    if difference is None or difference.error is None or math.isnan(difference.error):
        return None
    return _Test(difference.value, difference.error, difference.count)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values of a family of m tests, corrected so that with a probability of at most α any
    hypothesis that holds has one of at most α (Holm 1979).

    With p_(1) ≤ ... ≤ p_(m): p'_(k) = max over j ≤ k of min(1, (m − j + 1) p_(j)). A test without
    p value, None, keeps it and is not of the family.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for before, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - before) * p))
        found[place] = largest
    return found
