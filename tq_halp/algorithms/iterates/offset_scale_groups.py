"""``ScaleGroups``: which weights share a scale: those of a tensor, of a channel, or all."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

# Larger tensors are converted to float64 in parts.
_WHOLE = 2**18
GRANULARITIES = ("per_tensor", "per_channel", "global")


class ScaleGroups:
    """The weights of a model in G groups. A statistic of the groups is a float64 array (G,).

    Args:
        shapes: the shapes of the model's tensors.
        granularity: "per_tensor", a group for each tensor; "global", one group of all weights; or
            "per_channel", a group for each index of a tensor's last axis, i.e. for each output of a
            kernel. A vector is one group then.

    Attributes:
        count: G.
    """

    def __init__(self, shapes: Iterable[Sequence[int]], granularity: str):
        self._slices: list[slice] = []
        self.count = 1 if granularity == "global" else 0
        for shape in shapes:
            size = shape[-1] if granularity == "per_channel" and len(shape) > 1 else 1
            start = 0 if granularity == "global" else self.count
            self._slices.append(slice(start, start + size))
            self.count = max(self.count, start + size)

    def slice_of(self, index: int) -> slice:
        """Where the groups of tensor ``index`` are in an array (G,)."""
        return self._slices[index]

    def of(self, values: Any, index: int) -> Any:
        """The entries of ``values``, (G,), for tensor ``index``: (channels,), or a scalar if 1."""
        part = values[self._slices[index]]
        return part if self.is_per_channel(index) else part[0]

    def set(self, values: np.ndarray, index: int, part: Any) -> None:
        """Sets the entries of ``values`` for tensor ``index``; with one group for all, the largest.

        Args:
            values: array (G,).
            part: as ``of`` returns.
        """
        values[self._slices[index]] = (
            np.maximum(part, 0) if self.count > 1 else max(part, values[0])
        )

    def is_per_channel(self, index: int) -> bool:
        """Whether tensor ``index`` has several groups."""
        where = self._slices[index]
        return where.stop - where.start > 1

    def each(self, function: Callable[..., Iterable], *tensors: Iterable) -> np.ndarray:
        """Sums over each group of the K arrays that ``function`` returns.

        Args:
            function: called as ``function(t_1, t_2, ..., i)`` with float64 arrays, tensor i or the
                same part of each; it returns K arrays of their shape, or vectors of any length
                for a tensor that is one group. Such a tensor comes in parts if it is large, so that
                never all of it is in float64.
            tensors: iterables of variables, tensors or arrays, one for each tensor of the model.

        Returns:
            Float64 array of shape (K, G).
        """
        sums: Any = None
        for index, parts in enumerate(zip(*tensors, strict=True)):
            arrays = [np.asarray(part) for part in parts]
            if not self.is_per_channel(index):
                arrays = [array.reshape(-1) for array in arrays]
            found = _sums(function, arrays, index)
            if index == 0:
                sums = np.zeros((len(found), self.count))
            sums[:, self._slices[index]] += np.reshape(found, (len(found), -1))
        return sums

    def largest(self, tensors: Iterable) -> np.ndarray:
        """The largest magnitude in each group; 0 for an empty group."""
        result = np.zeros(self.count)
        for index, part in enumerate(tensors):
            part = np.abs(np.asarray(part))
            axes = tuple(range(part.ndim - 1)) if self.is_per_channel(index) else None
            where = self._slices[index]
            result[where] = np.maximum(result[where], np.max(part, axis=axes, initial=0.0))
        return result


def _sums(function: Callable[..., Iterable], parts: list[np.ndarray], index: int) -> list:
    """The K sums over all axes but the last; of vectors, over the only axis."""
    size = parts[0].shape[0]
    if parts[0].ndim > 1 or size <= _WHOLE:
        terms = function(*(np.asarray(part, np.float64) for part in parts), index)
        return [np.sum(term, axis=tuple(range(term.ndim - 1)) or None) for term in terms]
    # np.sum adds in pairs, and divides an array at this place: so the bits are the same.
    half = size // 2 - size // 2 % 8
    halves = [[part[which] for part in parts] for which in (slice(half), slice(half, None))]
    return [a + b for a, b in zip(*(_sums(function, each, index) for each in halves), strict=True)]
