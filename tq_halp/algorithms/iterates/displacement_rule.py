"""The rule for the range |z_j| ≤ r of offsets that needs no gradient: how far did they go?

A segment is expected to move the weights ρ times as far as the last one did, where ρ comes from the
learning rates of the two (``SegmentRates``). Of ranges up to four times wider or narrower than ρr
the one of least expected error is chosen: rounding noise grows with r, and what lies beyond r is
cut off.

The functions are pure NumPy; G, r, δ and ``largest_code`` are as in ``offset_range_rule``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tq_halp.algorithms.iterates.offset_range_rule import EDGE, displacement_costs
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

# Minibatch gradients make detours: the steps of a segment add up to about this many times |z_j|.
_DETOUR = 2.0
# An offset at the edge, which may have been cut off, would have gone this many times as far.
_BEYOND_EDGE = 2.0
# The candidates for r, times ρr.
_FACTORS = 2.0 ** (np.arange(-4, 5) / 2)
# A walk on the codes -1, 0, 1 that goes nowhere is at the edge for this share of its time.
_IDLE_SHARE = 2 / 3
_CROWDED_SHARE = 0.7


def scaled_half_widths(
    groups: ScaleGroups, half_widths: np.ndarray, ratios: Sequence[float] | np.ndarray
) -> np.ndarray:
    """ρr; in a group of several tensors with the largest ρ of theirs.

    Args:
        groups: the groups of weights.
        half_widths: r.
        ratios: ρ of each tensor.
    """
    of_groups = np.zeros(groups.count)
    for index, ratio in enumerate(ratios):
        groups.set(of_groups, index, np.maximum(groups.of(of_groups, index), ratio))
    return half_widths * of_groups


def next_half_widths(
    groups: ScaleGroups,
    offsets: Sequence[Any],
    half_widths: np.ndarray,
    ratios: Sequence[float] | np.ndarray,
    largest_code: float,
) -> np.ndarray:
    """r of the next segment.

        r_next = argmin_q  2 (q / largest code) Σ a_j + Σ max(a_j − q, 0)²,  q = ρr · 2^(k/2),
        k = −4 … 4,        a_j = ρ|z_j|, or 2ρr at the edge

    The first term is the rounding noise of ``displacement_costs`` along a path of 2a_j. Offsets
    with the codes -1, 0, 1 are all at 0 or at the edge, and do not show how far they would have
    gone. Their range follows ρ, and doubles where more of them are at the edge than chance
    explains. Where no offset has moved, r follows ρ, too.

    Args:
        groups: the groups of weights.
        offsets: z at the end of the last segment: variables, tensors or arrays.
        half_widths: r of the last segment.
        ratios: ρ of each tensor.
        largest_code: infinite for formats whose rounding error does not depend on r.
    """
    expected = scaled_half_widths(groups, half_widths, ratios)
    if largest_code < 2:
        return expected * np.where(_is_crowded(groups, offsets, half_widths), 2.0, 1.0)

    def reach(offset: np.ndarray, index: int) -> np.ndarray:
        size, r = np.abs(offset), groups.of(half_widths, index)
        return ratios[index] * np.where(size >= r * EDGE, _BEYOND_EDGE * r, size)

    candidates = [expected * factor for factor in _FACTORS]
    costs = displacement_costs(groups, offsets, reach, candidates, largest_code / _DETOUR)
    has_moved = groups.largest(offsets) > 0
    return np.where(has_moved, np.choose(np.argmin(costs, axis=0), candidates), expected)


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
