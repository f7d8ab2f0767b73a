"""The choice of ops in a layer's graph: a graph that may be saved gets TensorFlow's ops only."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from quant_ops import library


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """A context in which graphs that may be saved get the composite ops, with the same bits.

    `fit`, `evaluate` and `predict` run their steps by `tf.distribute.Strategy.run`. These graphs
    are not saved, so they use the native ops, as eager calls do. Any other graph may belong to
    `model.export`, `tf.saved_model.save`, a TFLite converter or a user's `tf.function`.
    `quant_ops.forced` and QUANT_OPS_BACKEND take precedence.
    """
    if not tf.inside_function() or _is_in_step() or library.is_forced():
        yield
        return
    with library.forced("composite"):
        yield


def _is_in_step() -> bool:
    """Whether a strategy is running a step, also the default strategy."""
    context = tf.distribute.get_replica_context()
    with tf.Graph().as_default():
        of_no_step = tf.distribute.get_replica_context()
    return context is not None and context is not of_no_step
