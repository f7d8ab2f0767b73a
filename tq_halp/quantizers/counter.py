"""The state behind a layer's stochastic rounding: how often it was called in training."""

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

    def __init__(self, name):
        super().__init__(name=name, trainable=False)
        self.calls = self.add_weight(
            name="calls", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def start_call(self, training):
        """The counter of this call's first time step. A training call moves on to the next."""
        calls = tf.convert_to_tensor(self.calls.value)
        if training:
            self.calls.assign(calls + 1)
        return calls * STEPS_PER_CALL
