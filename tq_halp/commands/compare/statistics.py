"""Means with standard errors over seeds, and paired differences with a t-test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """x̄ = Σ x / n and its standard error √(Σ (x − x̄)² / (n − 1) / n), None for n = 1."""

    value: float
    error: float | None
    count: int


@dataclass(frozen=True)
class Paired:
    """Differences d of pairs with the same seed, and how often ours was better, equal or worse.

    difference: d̄ and its standard error over the pairs in which both finished; None without any.
    p: two-sided p value of Student's paired t-test, H0: d̄ = 0, t = d̄ / error with n − 1 degrees
        of freedom; None for fewer than two pairs. Without any spread: 0, or 1 where d̄ = 0.
    wins, ties, losses: a run that failed lost to one that did not; where both failed, none counts.
    """

    difference: Mean | None
    p: float | None
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
    return Paired(
        difference,
        _p(difference),
        ahead + only_theirs_failed,
        equal,
        len(both) - ahead - equal + only_ours_failed,
        len(pairs),
    )


def _p(difference: Mean | None) -> float | None:
    """The p value of a mean difference; None where it has no error."""
    if difference is None or difference.error is None or math.isnan(difference.error):
        return None
    if difference.error == 0:
        return 1.0 if difference.value == 0 else 0.0
    return student_p(difference.value / difference.error, difference.count - 1)


def student_p(t: float, degrees: int) -> float:
    """P(|T| ≥ |t|) of Student's distribution with whole degrees of freedom ν.

    With θ = arctan(t / √ν), P(|T| < t) is a finite sum (Abramowitz and Stegun, 26.7.3 and 26.7.4):

        ν odd:  2/π (θ + sin θ (cos θ + 2/3 cos³ θ + ... + 2·4···(ν−3) / 3·5···(ν−2) cos^(ν−2) θ))
        ν even: sin θ (1 + 1/2 cos² θ + ... + 1·3···(ν−3) / 2·4···(ν−2) cos^(ν−2) θ)
    """
    theta = math.atan(abs(t) / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    is_odd = degrees % 2
    total, term = 0.0, cosine if is_odd else 1.0
    for power in range(is_odd, degrees - 1, 2):
        total += term
        term *= cosine * cosine * (power + 1) / (power + 2)
    inside = 2 / math.pi * (theta + sine * total) if is_odd else sine * total
    return min(1.0, max(0.0, 1 - inside))
