"""Which weights share a scale: those of a tensor, of one of its channels, or all of them."""

import numpy as np

# Elements of a tensor that are looked at together.
_WHOLE = 2**18
GRANULARITIES = ("per_tensor", "per_channel", "global")


class ScaleGroups:
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
        """Sums over the groups of the K arrays, each like its arguments, that ``function`` yields.

        Only a part of one tensor at a time is there in float64, where a tensor is one group.

        Args:
            function: called as ``function(t_1, t_2, ..., i)`` with tensor i or parts of it.
            tensors: iterables of variables, tensors or arrays, one for each tensor of the model.

        Returns:
            Float64 array (K, G).
        """
        for index, parts in enumerate(zip(*tensors, strict=True)):
            parts = [np.asarray(part) for part in parts]
            if not self.is_per_channel(index):
                parts = [part.reshape(-1) for part in parts]
            found = _sums(function, parts, index)
            if index == 0:
                sums = np.zeros((len(found), self.count))
            sums[:, self._slices[index]] += np.reshape(found, (len(found), -1))
        return sums

    def largest(self, tensors):
        """The largest magnitude of each group; 0 for an empty one."""
        result = np.zeros(self.count)
        for index, part in enumerate(tensors):
            part = np.abs(np.asarray(part))
            axes = tuple(range(part.ndim - 1)) if self.is_per_channel(index) else None
            where = self._slices[index]
            result[where] = np.maximum(result[where], np.max(part, axis=axes, initial=0.0))
        return result


def _sums(function, parts, index):
    """The K sums over all axes but the last, or over the only one."""
    size = parts[0].shape[0]
    if parts[0].ndim > 1 or size <= _WHOLE:
        terms = function(*(np.asarray(part, np.float64) for part in parts), index)
        return [np.sum(term, axis=tuple(range(term.ndim - 1)) or None) for term in terms]
    # Where np.sum itself, which adds in pairs, divides an array: the same bits.
    half = size // 2 - size // 2 % 8
    halves = [[part[which] for part in parts] for which in (slice(half), slice(half, None))]
    return [a + b for a, b in zip(*(_sums(function, each, index) for each in halves), strict=True)]
