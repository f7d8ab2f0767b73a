"""The rule for the range |z_j| ≤ r of offsets that needs no gradient: how far did they go?

The functions are pure NumPy; G and r are as in ``offset_range_rule``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tq_halp.algorithms.iterates.offset_range_rule import EDGE, quotient
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

__all__ = ["next_half_widths", "quotient"]

_CROWDED, _ROOM = 0.01, 1.25


def next_half_widths(
    groups: ScaleGroups, offsets: Sequence[Any], half_widths: np.ndarray, ratios: np.ndarray
) -> np.ndarray:
    """r of the next segment: 2r if more than 1 % of the offsets are at the edge, else

        r = 1.25 · max |z_j| · α_next / α_last

    Args:
        groups: the groups of weights.
        offsets: z at the end of the last segment: variables, tensors or arrays.
        half_widths: r of the last segment.
        ratios: α_next / α_last of each tensor.
    """

    def terms(z: np.ndarray, index: int) -> list[np.ndarray]:
        at_edge = np.abs(z) >= groups.of(half_widths, index) * EDGE
        return [np.where(at_edge & (z != 0), 1.0, 0.0), np.ones_like(z)]

    at_edge, total = groups.each(terms, offsets)
    largest = groups.largest(
        np.abs(np.asarray(z)) * ratio for z, ratio in zip(offsets, ratios, strict=True)
    )
    widths = np.where(at_edge > _CROWDED * total, 2.0 * half_widths, _ROOM * largest)
    return np.where(widths > 0, widths, half_widths)
