"""What a user calls data, as batches."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError

KINDS = (
    "arrays x, a tuple (x, y) or (x, y, sample_weight), a tf.data.Dataset, a PyDataset or an "
    "iterable of such batches"
)


def batches(data, batch_size: int, limit: int | None) -> Iterator[tuple[Any, Any, Any]]:
    """(x, y, sample_weight) of each batch, y and sample_weight None where there are none.

    Args:
        data: arrays: x, or a tuple of x and y and weights; x and y may be a list or a dict, for
    XX
        batch_size: samples per batch, where data is arrays.
        limit: at most so many batches; None for all.

    Raises:
        InputError: data is nothing of this, empty, endless without a limit, or of unequal lengths.
    """
    if isinstance(data, tf.data.Dataset):
        if limit is None and data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise InputError("data never ends, received a repeated tf.data.Dataset: give batches=")
        found = iter(data)
    elif isinstance(data, keras.utils.PyDataset):
        if limit is None and data.num_batches is None:
            raise InputError("data never ends, received an endless PyDataset: give batches=")
        found = (data[k] for k in range(limit or data.num_batches))
    elif _is_arrays(data):
        found = _slices(data, batch_size)
    elif isinstance(data, Iterable) and not (isinstance(data, (str, bytes)) or _is_array(data)):
        found = iter(data)
    else:
        raise InputError(f"data must be {KINDS}, received {_described(data)}")
    return _checked(itertools.islice(found, limit))


def _checked(found):
    empty = True
    for batch in found:
        if not _is_arrays(batch):
            raise InputError(f"data must be {KINDS}, received a batch that is {_described(batch)}")
        empty = False
        yield _unpacked(batch)
    if empty:
        raise InputError("data must hold at least one batch, received none")


def _unpacked(batch):
    # Not Keras' function of this purpose: it takes a list of two inputs for x and y.
    if not isinstance(batch, tuple):
        return batch, None, None
    if len(batch) > 3:
        raise InputError(
            f"data must be (x, y, sample_weight) at most, received a tuple of {len(batch)}; "
            "several inputs are a list"
        )
    return (*batch, None, None)[:3]


def _is_arrays(data):
    """Whether data is a nest of arrays (None: no y, no weights)."""
    if isinstance(data, list) and any(isinstance(item, tuple) for item in data):
        return False
    leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
    return bool(leaves) and all(_is_array(leaf) and leaf.dtype != object for leaf in leaves)


def _is_array(value):
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _slices(data, batch_size):
    sizes = {_length(leaf) for leaf in keras.tree.flatten(data) if leaf is not None}
    if len(sizes) > 1:
        raise InputError(
            f"data must be arrays of one length, received lengths {sorted(sizes, key=str)}"
        )
    for start in range(0, sizes.pop(), batch_size):
        piece = slice(start, start + batch_size)
        yield keras.tree.map_structure(
            lambda array, piece=piece: None if array is None else array[piece], data
        )


def _length(array):
    if len(array.shape) == 0:
        raise InputError(f"data must have samples along its first axis, received {array!r}")
    return int(array.shape[0])


def _described(value):
    if isinstance(value, (list, tuple, dict)):
        kinds = sorted({type(leaf).__name__ for leaf in keras.tree.flatten(value)})
        return f"a {type(value).__name__} of {', '.join(kinds) or 'nothing'}"
    shown = np.array2string(value, threshold=8) if isinstance(value, np.ndarray) else repr(value)
    return f"{shown[:80]} of type {type(value).__name__}"
