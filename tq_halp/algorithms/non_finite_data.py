"""``check_finite_data``: finds the NaN or infinity in the training data, if there is one."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tq_halp.algorithms.batches import leaves_of, samples_of
from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite, place


def check_finite_data(batches: Iterable) -> None:
    """Raises InputError with the place of the first number in the data that is not finite.

    Args:
        batches: minibatches ``(x, y, sample_weight)``; samples are counted from 0 in their order.
    """
    seen = 0
    for batch in batches:
        for name, part in zip(("x", "y", "sample_weight"), batch, strict=True):
            for leaf in leaves_of(part):
                _check(name, _dense(leaf), seen)
        seen += samples_of(batch[0])


def _dense(leaf: Any) -> np.ndarray:
    if isinstance(leaf, tf.RaggedTensor):
        leaf = leaf.to_tensor()
    elif isinstance(leaf, tf.SparseTensor):
        leaf = tf.sparse.to_dense(leaf)
    return np.asarray(leaf)


def _check(name: str, array: np.ndarray, seen: int) -> None:
    index = first_non_finite(array)
    if index is not None:
        sample, *rest = index
        where = f", at {place(tuple(rest))} in it" if rest else ""
        raise InputError(
            f"{name} must hold finite numbers only. Received {array[index]} in sample "
            f"{seen + sample}{where}"
        )
