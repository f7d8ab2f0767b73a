"""Which ops a layer's graph gets: those of a graph that may be saved have to load anywhere."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from quant_ops import library


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Inside, the ops of a graph that may be saved are built of TensorFlow's own, the same bits.

    `fit`, `evaluate`, `predict` and their like run their steps by `tf.distribute.Strategy.run`:
    nobody saves these graphs, and they keep the native ops, as eager calls do. Any other graph may
    be one of `model.export`, `tf.saved_model.save`, a TFLite converter or a `tf.function` of the
    user's. `quant_ops.forced` and QUANT_OPS_BACKEND have the last word.
    """
    if not tf.inside_function() or _is_in_step() or library.is_forced():
        yield
        return
    with library.forced("composite"):
        yield


def _is_in_step() -> bool:
    """Whether a strategy, the default one too, is running a step."""
    context = tf.distribute.get_replica_context()
    with tf.Graph().as_default():
        of_no_step = tf.distribute.get_replica_context()
    return context is not None and context is not of_no_step
