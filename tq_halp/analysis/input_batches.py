"""Batches (x, y, sample_weight) from the forms of data that Keras takes, checked."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite, place

KINDS = (
    "arrays or tensors x, a tuple (x, y) or (x, y, sample_weight), a tf.data.Dataset, a PyDataset "
    "or an iterable of such batches"
)
_KINDS_OF_VALUES = ("float", "bfloat", "int", "uint", "bool", "str", "bytes")
_NAMES = ("x", "y", "sample_weight")


def batches(data: Any, batch_size: int, limit: int | None) -> Iterator[tuple[Any, Any, Any]]:
    """(x, y, sample_weight) of each batch. y and sample_weight may be None.

    Args:
        data: arrays or tensors x, (x, y) or (x, y, sample_weight), where x and y may be nested
            lists, tuples and dicts, for several inputs or outputs; or an iterable of such batches.
        batch_size: samples per batch, if data is arrays.
        limit: largest number of batches; None: all.

    Raises:
        InputError: data has another form, is empty, is endless without a limit, has unequal
            lengths, or is not finite.
    """
    if isinstance(data, tf.data.Dataset):
        if limit is None and data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise InputError("data never ends. Received: a repeated tf.data.Dataset; give batches=")
        found = iter(data)
    elif isinstance(data, keras.utils.PyDataset):
        if limit is None and data.num_batches is None:
            raise InputError("data never ends. Received: an endless PyDataset; give batches=")
        found = (data[k] for k in range(limit or data.num_batches))
    elif _is_arrays(data):
        return itertools.islice(_slices(data, batch_size), limit)
    elif isinstance(data, Iterable) and not (isinstance(data, (str, bytes)) or _has_shape(data)):
        found = iter(data)
    else:
        raise InputError(f"data must be {KINDS}. Received: {_described(data)}")
    return _checked(itertools.islice(found, limit))


def samples_in(batch: Any) -> int:
    """The number of samples in a batch."""
    return _length(_leaves(batch[0])[0])


def _checked(found: Iterator[Any]) -> Iterator[tuple[Any, Any, Any]]:
    count = 0
    for count, batch in enumerate(found, start=1):
        if not _is_arrays(batch):
            raise InputError(f"data must be {KINDS}. Received: a batch that is {_described(batch)}")
        unpacked = _unpacked(batch)
        _check(unpacked, f" in batch {count}")
        yield unpacked
    if not count:
        raise InputError("data must hold at least one batch. Received: none")


def _unpacked(batch: Any) -> tuple[Any, Any, Any]:
    # Not Keras' `unpack_x_y_sample_weight`: it takes a list of two inputs for x and y.
    if not isinstance(batch, tuple):
        return batch, None, None
    if len(batch) > 3:
        raise InputError(
            f"data must be (x, y, sample_weight) at most. Received: a tuple of {len(batch)}; "
            "several inputs are a list"
        )
    return (*batch, None, None)[:3]


def _check(unpacked: tuple[Any, Any, Any], where: str = "") -> None:
    """Raises InputError unless x, y and the weights are finite and of equal length, at least 1."""
    if not _leaves(unpacked[0]):
        raise InputError(f"data must hold x. Received: None for it{where}")
    sizes = {_length(leaf) for leaf in _leaves(unpacked)}
    if len(sizes) > 1:
        raise InputError(
            f"data must be arrays of one length. Received: lengths {sorted(sizes)}{where}"
        )
    if sizes == {0}:
        raise InputError(f"data must hold at least one batch. Received: no sample{where}")
    for name, part in zip(_NAMES, unpacked, strict=True):
        _check_finite(name, part, where)


def _check_finite(name: str, part: Any, where: str) -> None:
    """Raises InputError if an array holds a NaN or an infinity, which would spread to all tensors.

    Also if it has a mask: a tensor has none, so masked values would count.
    """
    for path, leaf in keras.tree.flatten_with_path(part):
        if isinstance(leaf, np.ma.MaskedArray):
            raise InputError(
                "data must be arrays without a mask. Received: a numpy.ma.MaskedArray in "
                f"{name}{where}; fill it (`filled`) or leave its samples out"
            )
        if leaf is None or not _is_floating(leaf):
            continue
        values = leaf.flat_values if isinstance(leaf, tf.RaggedTensor) else leaf
        values = values.numpy() if hasattr(values, "numpy") else np.asarray(values)
        if (index := first_non_finite(values)) is not None:
            key = "".join(f"[{step!r}]" for step in path)
            raise InputError(
                f"data must be finite numbers. Received: {values[index]} in "
                f"{name}{key}{place(index)}{where}"
            )


def _is_floating(array: Any) -> bool:
    return _kind(array).startswith(("float", "bfloat"))


def _kind(array: Any) -> str:
    """The name of an array's dtype: float32, bfloat16, int8, bool, string, str32, ..."""
    return getattr(array.dtype, "name", str(array.dtype))


def _is_arrays(data: Any) -> bool:
    """Whether data is a nested structure of arrays. None stands for no y or no weights."""
    if isinstance(data, list) and any(isinstance(item, tuple) for item in data):
        return False
    leaves = _leaves(data)
    return bool(leaves) and all(map(_is_array, leaves))


def _leaves(data: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(data) if leaf is not None]


def _is_array(value: Any) -> bool:
    """Whether a value is a dense array of numbers or texts."""
    if keras.backend.is_keras_tensor(value) or tf.is_symbolic_tensor(value):
        return False
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.size > 0 and all(isinstance(each, (str, bytes)) for each in value.flat)
    is_dense = _has_shape(value) and not isinstance(value, tf.SparseTensor)
    return is_dense and _kind(value).startswith(_KINDS_OF_VALUES)


def _has_shape(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _slices(data: Any, batch_size: int) -> Iterator[tuple[Any, Any, Any]]:
    unpacked = _unpacked(data)
    _check(unpacked)
    for start in range(0, samples_in(unpacked), batch_size):
        piece = slice(start, start + batch_size)
        yield keras.tree.map_structure(
            lambda array, piece=piece: None if array is None else array[piece], unpacked
        )


def _length(array: Any) -> int:
    if len(array.shape) == 0:
        raise InputError(
            f"data must have samples along its first axis. Received: {_described(array)}"
        )
    return int(array.shape[0])


def _described(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        kinds = sorted({type(leaf).__name__ for leaf in keras.tree.flatten(value)})
        return f"a {type(value).__name__} of {', '.join(kinds) or 'nothing'}"
    shown = np.array2string(value, threshold=8) if isinstance(value, np.ndarray) else repr(value)
    return f"{' '.join(shown.split())[:80]} of type {type(value).__name__}"
