"""The expected error of offsets, for several ranges |z_j| ≤ r: by it the best range is chosen.

Pure NumPy; G, r, δ and ``largest_code`` are as in ``offset_range_rule``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

#: So many numbers at a time stay in the processor's cache.
_CACHED = 2**17


@dataclass(frozen=True)
class Reach:
    """How far offsets should move, |z_j|, as a function of the numbers t_j of a tensor.

        |z_j| = slope · |t_j|;   ``beyond`` where |t_j| ≥ edge

    Args:
        slopes: slope of each tensor.
        edges, beyond: of each group, (G,), with beyond ≥ slope · edge; None for no edges.
    """

    slopes: Sequence[float] | np.ndarray
    edges: np.ndarray | None = None
    beyond: np.ndarray | None = None


def displacement_costs(
    groups: ScaleGroups,
    tensors: Sequence[Any],
    reach: Reach,
    candidates: Sequence[np.ndarray],
    largest_code: float,
) -> np.ndarray:
    """Expected squared error of offsets that should move by |z_j|, for several r.

    Stochastic rounding of a step s < δ has the variance |s|(δ − |s|) ≤ |s|δ. Over steps that add up
    to |z_j| the variances add up to about |z_j|δ. What lies beyond r is lost:

        cost(r) = δ Σ_j |z_j| + Σ_j max(|z_j| − r, 0)²,   δ = r / largest code

    Args:
        groups: the groups of weights.
        tensors: variables, tensors or arrays, one for each tensor of the model.
        reach: |z_j| of their numbers.
        candidates: C arrays r; in all groups the narrowest one is the same, and so on.

    Returns:
        Array of shape (C, G).
    """
    ranges = np.stack(candidates)
    totals, beyond = np.zeros(groups.count), np.zeros(ranges.shape)
    for index, tensor in enumerate(tensors):
        here = groups.slice_of(index)
        for numbers in _parts(np.asarray(tensor), here.stop - here.start):
            total, far, channel = _far(numbers, reach, index, here, ranges[:, here])
            totals[here] += total
            for number in np.argsort(ranges[:, here.start]):
                # What lies within this range lies within the wider ones that follow.
                excess = far - ranges[number, here][channel]
                is_beyond = excess > 0
                far, channel, excess = far[is_beyond], channel[is_beyond], excess[is_beyond]
                lost = np.bincount(channel, np.square(excess), minlength=len(total))
                beyond[number, here] += lost
    return ranges / largest_code * totals + beyond


def best_half_widths(
    groups: ScaleGroups,
    tensors: Sequence[Any],
    reach: Reach,
    widest: np.ndarray,
    octaves: int,
    largest_code: float,
) -> np.ndarray:
    """The r of least ``displacement_costs`` among ``widest`` · 2^0, 2^-1, ..., 2^-octaves."""
    candidates = [widest * 2.0**-octave for octave in range(octaves + 1)]
    costs = displacement_costs(groups, tensors, reach, candidates, largest_code)
    return np.choose(np.argmin(costs, axis=0), candidates)


def _parts(tensor: np.ndarray, channels: int) -> Iterator[np.ndarray]:
    """The numbers of a tensor, some rows at a time; one column for each channel."""
    rows = tensor.reshape(-1, channels)
    step = max(1, _CACHED // channels)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _far(
    numbers: np.ndarray, reach: Reach, index: int, here: slice, ranges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Σ_j |z_j| of each channel; the |z_j| above the narrowest range, and the channel of each.

    These are few. Of the others a range needs the sum alone.
    """
    slope, sizes = reach.slopes[index], np.abs(numbers)
    total = slope * np.sum(sizes, axis=0, dtype=np.float64)
    least = np.min(ranges, axis=0) / slope if slope else np.full(len(total), np.inf)
    if reach.edges is not None:
        least = np.minimum(least, reach.edges[here])
    where = np.flatnonzero(sizes >= least.astype(sizes.dtype))
    channel = where % len(total)
    far = sizes.reshape(-1)[where].astype(np.float64)
    found = slope * far
    if reach.edges is not None and reach.beyond is not None:
        at_edge = far >= reach.edges[here][channel]
        found = np.where(at_edge, reach.beyond[here][channel], found)
        total += np.bincount(channel, found - slope * far, minlength=len(total))
    return total, found, channel
