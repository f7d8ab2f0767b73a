"""``RangeStates``: which ranges are open, i.e. not known yet, and which are still being widened."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

_SETTLED, _OPEN, _FITTED = 0, 1, 2


class RangeStates(Part):
    """The state of the range of each tensor.

    Open: offsets are not rounded until the first steps show how far they go. Fitted: to the first
    steps of this segment, and to be widened with the next ones. Settled: as at the last snapshot.

    Attributes:
        of_tensors: int64 (tensors,); None where no range can be open, and all may be widened.
    """

    of_tensors: keras.Variable | None = None

    def state(self) -> dict[str, Any]:
        return {"of_tensors": Zeros((len(self.weights),))}

    def open_all(self) -> None:
        """Every range is open from now on."""
        if self.of_tensors is not None:
            self.of_tensors.assign(_OPEN * tf.ones_like(self.of_tensors.value))

    def is_open(self, index: int) -> tf.Tensor | None:
        """Whether the range of tensor ``index`` is open, a bool scalar; None if it cannot be."""
        return None if self.of_tensors is None else self.of_tensors.value[index] == _OPEN

    def open(self) -> np.ndarray:
        """Whether the range of each tensor is open, (tensors,)."""
        return self._are(_OPEN)

    def growing(self, groups: ScaleGroups) -> np.ndarray:
        """Whether the range of each group is to be widened, (G,)."""
        growing = np.zeros(groups.count)
        for index, fitted in enumerate(self._are(_FITTED, otherwise=True)):
            groups.set(growing, index, fitted)
        return growing > 0

    def note_fitted(self, groups: ScaleGroups, scales: np.ndarray) -> None:
        """The range of a tensor is open no longer where each of its groups has a scale."""
        has_all = [np.all(groups.of(scales, index)) for index in range(len(self.weights))]
        self._move(_OPEN, _FITTED, np.array(has_all))

    def note_end(self) -> None:
        """Called at the end of a segment."""
        self._move(_FITTED, _SETTLED, np.array(True))

    def _are(self, state: int, otherwise: bool = False) -> np.ndarray:
        if self.of_tensors is None:
            return np.full(len(self.weights), otherwise)
        return self.of_tensors.numpy() == state

    def _move(self, old: int, new: int, where: np.ndarray) -> None:
        if self.of_tensors is not None:
            states = self.of_tensors.numpy()
            self.of_tensors.assign(np.where((states == old) & where, new, states))
