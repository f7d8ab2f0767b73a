"""The counter of a layer's training calls, from which stochastic rounding draws its bits."""

from typing import Any

import keras
import tensorflow as tf

# A counter holds the call in its high bits and the time step in its low ones. So calls with fewer
# steps than this never share a counter.
STEPS_PER_CALL = 2**32


class CallCounter(keras.layers.Layer):
    """A layer with one int64 weight: the number of training calls so far.

    It is a layer of its own because Dense, Conv2D and Embedding save a fixed list of their own
    variables. They would save one more, but not load it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self.calls = self.add_weight(
            name="calls", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def start_call(self, training: bool | None, after: Any = ()) -> tf.Tensor:
        """The counter of this call's first time step, an int64 scalar. In training, advances it.

        Args:
            training: whether this is a training call.
            after: as for `advance`.
        """
        first = self.now()
        if training:
            self.advance(after)
        return first

    def now(self) -> tf.Tensor:
        """The counter of the next call's first time step, an int64 scalar."""
        return tf.convert_to_tensor(self.calls.value) * STEPS_PER_CALL

    def advance(self, after: Any = ()) -> None:
        """Counts one call, once the tensors of ``after`` (any structure) are computed.

        For at the end of data of unknown length, Keras starts a step that has no data.
        """
        leaves = tf.nest.flatten(after, expand_composites=True)
        with tf.control_dependencies([leaf for leaf in leaves if tf.is_tensor(leaf)]):
            self.calls.assign(tf.convert_to_tensor(self.calls.value) + 1)
