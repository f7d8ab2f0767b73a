"""``MinibatchNumbers``: which of n fixed minibatches one is, told by a hash of its contents."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tq_halp.algorithms.gradient_tables.table_arrays import InMemory


class Place(NamedTuple):
    """Where a minibatch is in the table; all are scalars."""

    #: i, int64.
    number: tf.Tensor
    #: Whether the minibatch has been seen before, or has just been given a number, bool.
    is_known: tf.Tensor


class MinibatchNumbers:
    """Numbers minibatches in the order in which they are first seen.

    A minibatch that occurs twice in the data has one number and counts twice.

    Attributes:
        arrays: {name: array}: the hash of each minibatch, and how many samples it stands for.
    """

    def __init__(self, prefix: str):
        self._keys = InMemory(f"{prefix}_keys", (), "int64")
        self._samples = InMemory(f"{prefix}_samples", (), "int64")
        self.arrays = {array.path: array for array in (self._keys, self._samples)}

    @property
    def count(self) -> int:
        """n."""
        return self._keys.shape[0]

    def resize(self, count: int) -> None:
        """None is known of ``count`` minibatches."""
        for array in self.arrays.values():
            array.assign(np.zeros(count, np.int64))

    def place(self, key: tf.Tensor, samples: tf.Tensor, may_add: tf.Tensor) -> Place:
        """Finds a minibatch, or gives it the next number; traced into the step's graph.

        Args:
            key: its hash, an int64 scalar.
            samples: how many it has, an int64 scalar.
            may_add: whether the table is still being filled, a bool scalar: then the samples of
                the minibatch are counted, and an unknown one is added.
        """
        keys, counts = self._keys.variable.read_value(), self._samples.variable.read_value()
        same = (keys == key) & (counts > 0)
        is_old, seen = tf.reduce_any(same), tf.math.count_nonzero(counts)
        has_room = seen < tf.size(keys, tf.int64)
        is_new = may_add & has_room & ~is_old
        number = tf.where(is_old, tf.argmax(tf.cast(same, tf.int32)), seen)
        number = tf.minimum(number, tf.size(keys, tf.int64) - 1)
        here = tf.range(tf.size(keys, tf.int64)) == number
        self._keys.variable.assign(tf.where(here & is_new, key, keys))
        added = tf.where(may_add & (is_old | is_new), samples, tf.zeros_like(samples))
        self._samples.variable.assign(tf.where(here, counts + added, counts))
        return Place(number, is_old | is_new)

    def shares(self) -> np.ndarray:
        """n_i / N of the minibatches seen so far, 0 of the others; (n,) in float64."""
        counts = self._samples.numpy().astype(np.float64)
        return counts / max(counts.sum(), 1.0)

    def share(self, number: tf.Tensor) -> tf.Tensor:
        """n_i / N for i = ``number``, a float64 scalar; traced."""
        counts = self._samples.variable.read_value()
        return tf.cast(counts[number] / tf.reduce_sum(counts), tf.float64)

    def knows(self, key: int) -> bool:
        """Whether a minibatch with this hash has a number."""
        return bool(np.any((self._keys.numpy() == key) & (self._samples.numpy() > 0)))
