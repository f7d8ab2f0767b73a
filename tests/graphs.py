"""Graphs that tests trace."""

import tensorflow as tf

import quant_ops


def traced(call):
    """A `tf.function` with the ops that a step of `fit` has: the same bits, soon traced.

    Any other graph has 100 of TensorFlow's own in place of each of these, as it may be saved.
    """

    def run(*args, **kwargs):
        with quant_ops.forced(quant_ops.backend()):
            return call(*args, **kwargs)

    return tf.function(run)
