"""Which weights share a scale: those of a tensor, of one of its channels, or all of them."""

import numpy as np

GRANULARITIES = ("per_tensor", "per_channel", "global")


class Groups:
    """The weights of a model in G groups; a statistic of all groups is a float64 array (G,).

    Args:
        shapes: of the tensors.
        granularity: "per_tensor"; "global", one group of all; or "per_channel", one group for each
            index of a tensor's last axis, the outputs of a kernel. A vector is one group then.
    """

    def __init__(self, shapes, granularity):
        self._slices = []
        self.count = 1 if granularity == "global" else 0
        for shape in shapes:
            size = shape[-1] if granularity == "per_channel" and len(shape) > 1 else 1
            start = 0 if granularity == "global" else self.count
            self._slices.append(slice(start, start + size))
            self.count = max(self.count, start + size)

    def of(self, values, index):
        """The part of ``values``, (G,), that concerns a tensor: (channels,), or a scalar if 1."""
        part = values[self._slices[index]]
        return part if self.is_per_channel(index) else part[0]

    def is_per_channel(self, index):
        where = self._slices[index]
        return where.stop - where.start > 1

    def each(self, function, *tensors):
        """Sums over the groups of ``function(t_1, t_2, ..., i)``, an array like tensor i.

        Args:
            tensors: lists of arrays, one for each tensor; ``function`` gets them in float64.
        """
        sums = np.zeros(self.count)
        for index, parts in enumerate(zip(*tensors, strict=True)):
            terms = function(*(np.asarray(part, np.float64) for part in parts), index)
            axes = tuple(range(terms.ndim - 1)) if self.is_per_channel(index) else None
            sums[self._slices[index]] += np.sum(terms, axis=axes)
        return sums

    def largest(self, sizes):
        """The largest entry of each group; 0 for an empty one."""
        result = np.zeros(self.count)
        for index, part in enumerate(sizes):
            part = np.asarray(part, np.float64)
            axes = tuple(range(part.ndim - 1)) if self.is_per_channel(index) else None
            where = self._slices[index]
            result[where] = np.maximum(result[where], np.max(part, axis=axes, initial=0.0))
        return result
