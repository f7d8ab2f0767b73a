"""``SegmentRates``: how much further than the last one a segment leads by its learning rates."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.algorithms.planned_rates import PlannedRates
from tq_halp.algorithms.snapshot_schedule import FOREVER


class SegmentRates(Part):
    """Compares the learning rates of a segment with those of the last one, for each tensor.

    Attributes:
        mean_rates: mean rate planned for the segment, or for the last one with a rate above 0,
            float64 (tensors,).
        steps: number of steps in the segment, as planned and then as it was; 0 if it is not known,
            an int64 scalar.
    """

    mean_rates: keras.Variable
    steps: keras.Variable

    def __init__(self) -> None:
        self._planned = PlannedRates()

    def state(self) -> dict[str, Any]:
        return {"mean_rates": Zeros((len(self.weights),), "float64"), "steps": Zeros()}

    def begin(self) -> np.ndarray:
        """Called at a snapshot; returns ρ of each tensor, (tensors,).

            ρ = ᾱ_next / ᾱ_last · √(T_next / T_last)

        ᾱ is the mean learning rate of a segment, T its number of steps: T steps in directions that
        differ lead √T as far as one. A factor that is not known, or 0 / 0, is 1.
        """
        length, last_length = self._length(), int(self.steps)
        rates, last_rates = self._means(0, max(length, 1)), self.mean_rates.numpy()
        self.mean_rates.assign(np.where(rates > 0, rates, last_rates))
        self.steps.assign(length)
        is_known = (rates > 0) & (last_rates > 0)
        ratios = np.divide(rates, last_rates, out=np.ones_like(rates), where=is_known)
        return ratios * math.sqrt(length / last_length if length and last_length else 1.0)

    def note_end(self) -> None:
        """Called at the end of a segment."""
        self.steps.assign(self.snapshots.steps_since_snapshot.value)

    def growth(self, steps: int) -> float:
        """Σα at the next doubling of ``steps``, or at the segment's end, over Σα so far; 2 or more.

        Of several tensors, the largest. In a warm-up from 0 it is nearly 4.

        Args:
            steps: number of steps since the snapshot, 1 or more.
        """
        end = min(2 * steps, max(self.snapshots.segment_length, steps + 1))
        so_far, until_then = self._means(-steps, steps), self._means(-steps, end)
        growths = until_then[so_far > 0] * end / (so_far[so_far > 0] * steps)
        return float(max([2.0, *growths]))

    def _length(self) -> int:
        """T, or 0 if it is not known yet."""
        return self.snapshots.segment_length if self.snapshots.segment_length < FOREVER else 0

    def _means(self, first: int, steps: int) -> np.ndarray:
        weights: Sequence[keras.Variable] = self.weights
        return self._planned.means(self.trainer.optimizer, weights, first, steps)
