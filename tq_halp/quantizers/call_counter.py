"""The state behind a layer's stochastic rounding: how often it was called in training."""

from typing import Any

import keras
import tensorflow as tf

# Calls count in the high bits and time steps in the low ones, so that no call of fewer steps than
# this shares a counter with another call.
STEPS_PER_CALL = 2**32


class CallCounter(keras.layers.Layer):
    """One int64 weight: the number of training calls so far.

    A layer of its own because Dense, Conv2D and Embedding save a fixed list of their own variables:
    one more among those could be saved, but not be loaded.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self.calls = self.add_weight(
            name="calls", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def start_call(self, training: bool | None, after: Any = ()) -> tf.Tensor:
        """The counter of this call's first time step. A training call moves on to the next."""
        first = self.now()
        if training:
            self.advance(after)
        return first

    def now(self) -> tf.Tensor:
        """The counter of the first time step of the call that comes next."""
        return tf.convert_to_tensor(self.calls.value) * STEPS_PER_CALL

    def advance(self, after: Any = ()) -> None:
        """Moves on to the next call.

        Not before there are the tensors of ``after``, in any structure: at the end of data of
        unknown length Keras runs a step without data.
        """
        leaves = tf.nest.flatten(after, expand_composites=True)
        with tf.control_dependencies([leaf for leaf in leaves if tf.is_tensor(leaf)]):
            self.calls.assign(tf.convert_to_tensor(self.calls.value) + 1)
