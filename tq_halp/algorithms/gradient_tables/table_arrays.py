"""Arrays of n rows, of which a step reads one and writes one: in memory, packed, or in a file.

A row can be read and written in a compiled graph, where its number is a tensor. The whole array can
be read and set from outside, for checkpoints and for sums over all rows.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

# Sums over all rows read so many numbers at a time, which become float64.
_BLOCK = 2**21


class TableArray(Protocol):
    """An array of shape (n, *row). ``path`` names it in messages, as that of a Keras variable."""

    path: str
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]: ...

    def row(self, number: tf.Tensor) -> tf.Tensor:
        """Row ``number``, an int64 scalar."""
        ...

    def set_row(self, number: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        """Replaces row ``number``; returns True, a scalar that is computed afterwards."""
        ...

    def rows(self, first: int, last: int) -> np.ndarray:
        """The rows from ``first`` up to, but without, ``last``."""
        ...

    def numpy(self) -> np.ndarray:
        """All of it."""
        ...

    def assign(self, values: np.ndarray) -> None:
        """Replaces all of it, also by an array of another length."""
        ...


class InMemory:
    """A ``tf.Variable`` on the device of the model.

    Args:
        path: its name in messages.
        row_shape: shape of a row; None where another array may have another length.
        dtype: of the numbers.
    """

    def __init__(self, path: str, row_shape: tuple[int | None, ...], dtype: str):
        self.path, self.dtype = path, dtype
        empty = np.zeros((0, *(size or 0 for size in row_shape)), tf.as_dtype(dtype).as_numpy_dtype)
        # Another data set may have more minibatches: the graph of a step stays as it is.
        self.variable = tf.Variable(empty, trainable=False, shape=(None, *row_shape), name=path)
        self._row_shape = row_shape

    @property
    def shape(self) -> tuple[int, ...]:
        # VariableShape: the shape of a variable's value would read, i.e. copy, the whole table.
        return tuple(tf.raw_ops.VariableShape(input=self.variable.handle).numpy().tolist())

    def row(self, number: tf.Tensor) -> tf.Tensor:
        # sparse_read: a plain read would copy the whole table.
        return tf.ensure_shape(self.variable.sparse_read(number), self._row_shape)

    def set_row(self, number: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        self.variable.scatter_update(tf.IndexedSlices(value[None], number[None]))
        return tf.constant(True)  # Reads of a variable wait for its writes anyway.

    def rows(self, first: int, last: int) -> np.ndarray:
        return self.variable.sparse_read(tf.range(first, last)).numpy()

    def numpy(self) -> np.ndarray:
        return self.variable.numpy()

    def assign(self, values: np.ndarray) -> None:
        self.variable.assign(values)


class OnDisk:
    """A memory-mapped .npy file. The system keeps in memory what was used lately.

    Args:
        path, row_shape, dtype: as for ``InMemory``.
        folder: where the file is; an older file of its name is overwritten.
    """

    def __init__(self, path: str, row_shape: tuple[int | None, ...], dtype: str, folder: str):
        self.path, self.dtype = path, dtype
        self.file = Path(folder) / f"{path}.npy"
        self._row_shape = row_shape
        self._numpy_dtype = tf.as_dtype(dtype).as_numpy_dtype
        self._values = np.zeros((0, *(size or 0 for size in row_shape)), self._numpy_dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    def row(self, number: tf.Tensor) -> tf.Tensor:
        read = tf.numpy_function(lambda i: np.array(self._values[i]), [number], self.dtype)
        return tf.ensure_shape(read, self._row_shape)

    def set_row(self, number: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(self._write, [number, value], tf.bool), ())

    def _write(self, number: np.ndarray, value: np.ndarray) -> np.bool_:
        self._values[number] = value
        return np.bool_(True)

    def rows(self, first: int, last: int) -> np.ndarray:
        return np.asarray(self._values[first:last])

    def numpy(self) -> np.ndarray:
        return np.asarray(self._values)

    def assign(self, values: np.ndarray) -> None:
        if self._values.shape != values.shape or not isinstance(self._values, np.memmap):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._values = np.lib.format.open_memmap(
                self.file, mode="w+", dtype=self._numpy_dtype, shape=values.shape
            )
        self._values[...] = values


def blocks(array: TableArray) -> list[tuple[int, int]]:
    """(first, last) of parts of the rows that together are all of them, a few megabytes each."""
    count, *row = array.shape
    step = max(1, _BLOCK // max(1, int(np.prod(row))))
    return [(first, min(first + step, count)) for first in range(0, count, step)]
