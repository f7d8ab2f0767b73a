"""``SegmentDisplacement``: what the offsets of a segment say of the range of the next one."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.algorithms.iterates import displacement_rule
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups
from tq_halp.algorithms.iterates.segment_rates import SegmentRates


class SegmentDisplacement(Part):
    """Looks at the offsets after each quarter of a segment.

    The end alone does not show how far they went: where the weights circle around an optimum, as
    with minibatches in the same order in every epoch, they come back to where they were. Of the
    costs of a range, the largest one counts.

    Args:
        largest_code: as for ``displacement_rule``.

    Attributes:
        costs: ``displacement_rule.costs`` of the segment so far, float64 (K, G).
        is_whole: whether its end has been looked at, an int64 scalar. The offsets of a segment that
            was cut short do not show how far a whole one goes.
        looks: numbers of steps in the segment after which to look, before its end: the quarters of
            the last segment, as the length of this one may not be known.
        rates: the ``SegmentRates``.
    """

    numbers = {"looks": ()}
    looks: Sequence[int]

    costs: keras.Variable
    is_whole: keras.Variable

    def __init__(self, largest_code: float):
        self._largest_code = largest_code
        self.rates = SegmentRates()

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self.rates.bind(trainer)

    def set_groups(self, groups: ScaleGroups) -> None:
        """Called before ``state``."""
        self._groups = groups

    def state(self) -> dict[str, Any]:
        shape = len(displacement_rule.factors(self._largest_code)), self._groups.count
        return {"costs": Zeros(shape, "float64"), "is_whole": Zeros(), "rates": self.rates}

    def begin(self, half_widths: np.ndarray) -> np.ndarray:
        """Called at a snapshot; returns r of the segment that begins.

        Args:
            half_widths: r of the last segment; 0 before the first.
        """
        steps = int(self.rates.steps)
        self.looks = list(range(0, steps, -(-steps // 4) or 1))[1:]
        found = self.costs.numpy() * int(self.is_whole)
        self.costs.assign(np.zeros_like(found))
        self.is_whole.assign(0)
        return displacement_rule.next_half_widths(
            self._groups, half_widths, found, self.rates.begin(), self._largest_code
        )

    def note_step(self, offsets: Sequence[keras.Variable], half_widths: np.ndarray) -> None:
        """Looks at z, with the range r, when it is time to."""
        steps = int(self.snapshots.steps_since_snapshot)
        if self.looks and steps >= self.looks[0]:
            self.looks = [look for look in self.looks if look > steps]
            self._look(offsets, half_widths)

    def note_end(self, offsets: Sequence[keras.Variable], half_widths: np.ndarray) -> None:
        """Looks at z, with the range r, at the end of a segment."""
        self._look(offsets, half_widths)
        self.is_whole.assign(1)
        self.rates.note_end()

    def _look(self, offsets: Sequence[keras.Variable], half_widths: np.ndarray) -> None:
        found = displacement_rule.costs(self._groups, offsets, half_widths, self._largest_code)
        self.costs.assign(np.maximum(self.costs.numpy(), found))
