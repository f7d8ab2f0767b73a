"""What ``fit`` makes of its data before Keras sees them."""

import keras
import tensorflow as tf

from tq_halp.algorithms.batches import Batches, OnlyOnceError
from tq_halp.errors import InputError


def batches_of(data, batch_size, class_weight, needed: bool) -> Batches | None:
    """The training data, to be passed over again; None if they cannot be and need not be.

    Args:
        data: a ``tf.data.Dataset``, a ``PyDataset``, or a tuple ``(x, y, sample_weight)``.
        batch_size, class_weight: as for ``fit``.
        needed: whether the algorithm needs the full gradient.

    Raises:
        ValueError: the data have no samples, or are needed and can be read only once.
    """
    is_whole = isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))
    data = (data,) if is_whole else keras.utils.unpack_x_y_sample_weight(data)
    try:
        return Batches(*data, batch_size=batch_size, class_weight=class_weight)
    except OnlyOnceError:
        if needed:
            raise
        return None


def first_inputs(batches: Batches | None, x):
    """The inputs of a first minibatch, for a model that is built by its data.

    Raises:
        ValueError: they cannot be had without being used up.
    """
    if batches is not None:
        return next(iter(batches))[0]
    if isinstance(x, tf.data.Dataset):
        return keras.utils.unpack_x_y_sample_weight(next(iter(x)))[0]
    raise InputError(
        "The model is not built and its input shape cannot be read from a "
        f"{type(x).__name__}: call the model once, or give it an Input."
    )


def length_is_known(x) -> bool:
    """Whether an epoch's number of batches is known before its end."""
    if isinstance(x, tf.data.Dataset):
        return int(x.cardinality()) != tf.data.UNKNOWN_CARDINALITY
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))
