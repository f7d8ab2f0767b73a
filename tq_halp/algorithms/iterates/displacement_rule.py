"""The rule for the range |z_j| ≤ r of offsets that needs no gradient: how far did they go?

A segment is expected to move the weights ρ times as far as the last one did, where ρ comes from the
learning rates of the two (``SegmentRates``). So r becomes ρ times the best range of the last
segment: of ranges up to four times wider or narrower than r the one of least expected error.
Rounding noise grows with the range, and what lies beyond it is cut off.

The functions are pure NumPy; G, r, δ and ``largest_code`` are as in ``offset_range_rule``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tq_halp.algorithms.iterates.displacement_costs import displacement_costs
from tq_halp.algorithms.iterates.offset_range_rule import EDGE, reach_of
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

#: The largest code of formats whose rounding error does not depend on r.
FINE = 2.0**24
# Minibatch gradients make detours: the steps of a segment add up to about this many times |z_j|.
_DETOUR = 2.0
# A walk on the codes -1, 0, 1 that goes nowhere is at the edge for this share of its time.
_IDLE_SHARE = 2 / 3
_CROWDED_SHARE = 0.7


def factors(largest_code: float) -> np.ndarray:
    """The K ranges from which the rule chooses, times r. Of equally good ones the first is taken.

    With the codes -1, 0, 1 alone, r or 2r; else r · 2^(k/2), k = 0, ±1, … ±4.
    """
    if largest_code < 2:
        return np.array([1.0, 2.0])
    return 2.0 ** (np.array([0, -1, 1, -2, 2, -3, 3, -4, 4]) / 2)


def costs(
    groups: ScaleGroups, offsets: Sequence[Any], half_widths: np.ndarray, largest_code: float
) -> np.ndarray:
    """The expected error that each of the ranges q = r · ``factors`` would have had.

        cost(q) = 2 (q / largest code) Σ a_j + Σ max(a_j − q, 0)²,   a_j = |z_j|, or 2r at the edge

    The first term is the rounding noise of ``displacement_costs`` along a path of 2a_j. Offsets
    with the codes -1, 0, 1 are all at 0 or at the edge, and do not show how far they would have
    gone. Their range is too narrow if more of them are at the edge than chance explains: then r
    costs 1, else 0, and 2r costs 1/2.

    Args:
        groups: the groups of weights.
        offsets: z: variables, tensors or arrays.
        half_widths: r.
        largest_code: as everywhere; ``FINE`` for formats whose rounding error does not depend on r.

    Returns:
        Array of shape (K, G); 0 for r itself where no offset has moved.
    """
    if largest_code < 2:
        crowded = _is_crowded(groups, offsets, half_widths)
        return np.stack([np.where(crowded, 1.0, 0.0), np.full(groups.count, 0.5)])
    candidates = [half_widths * factor for factor in factors(largest_code)]
    reach = reach_of(offsets, half_widths)
    return displacement_costs(groups, offsets, reach, candidates, largest_code / _DETOUR)


def next_half_widths(
    groups: ScaleGroups,
    half_widths: np.ndarray,
    costs: np.ndarray,
    ratios: Sequence[float] | np.ndarray,
    largest_code: float,
) -> np.ndarray:
    """r of the next segment: ρ times the range of least cost.

    Args:
        groups: the groups of weights.
        half_widths: r of the last segment.
        costs: as ``costs`` returns; 0 if they are not known.
        ratios: ρ of each tensor. A group of several tensors takes their largest.
        largest_code: as for ``costs``.
    """
    largest = np.zeros(groups.count)
    for index, ratio in enumerate(ratios):
        groups.set(largest, index, np.maximum(groups.of(largest, index), ratio))
    return half_widths * largest * factors(largest_code)[np.argmin(costs, axis=0)]


def _is_crowded(groups: ScaleGroups, offsets: Sequence[Any], half_widths: np.ndarray) -> np.ndarray:
    """Whether so many offsets are at the edge that they must have wanted to go further, (G,)."""

    def terms(offset: np.ndarray, index: int) -> Iterator[np.ndarray]:
        r = groups.of(half_widths, index)
        yield np.where((np.abs(offset) >= r * EDGE) & (offset != 0), 1.0, 0.0)
        yield np.ones_like(offset)

    at_edge, total = groups.each(terms, offsets)
    # By chance the share of n idle offsets differs from 2/3 by less than 1/√n, 49 times in 50.
    chance = _IDLE_SHARE * total + np.sqrt(total)
    return at_edge >= np.maximum(_CROWDED_SHARE * total, chance)
