"""T_i of one trainable variable: a dense gradient, or the rows of an embedding that i touches.

An embedding's gradient is zero outside the rows of the words in the minibatch. Only these are kept.
A minibatch always has the same words, so it always has the same rows.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.gradient_tables.table_arrays import TableArray, blocks
from tq_halp.algorithms.minibatch_gradient import Gradient, dense
from tq_halp.quantizers import Quantizer

#: Makes an array from (name, shape of a row, dtype).
MakeArray = Callable[[str, tuple[int | None, ...], str], TableArray]
#: So many numbers at a time are added up: they stay in the processor's cache.
_CACHED = 2**15
#: In place of the number of a row where there is no row.
_NO_ROW = -1


class Numbers:
    """One tensor of numbers for each minibatch, as they are or packed into codes.

    Args:
        name: of the array.
        row_shape, dtype: of the tensor.
        make: makes the arrays.
        packing: None; or a quantizer with a ``ScaledInteger`` of at most 16 bits: a tensor x
            becomes integers of so many bits and one number s, x ≈ s · code, with s = max |x| /
            largest code.

    Attributes:
        dtype, kept_dtype: of the tensor, and of the numbers that are kept of it.
    """

    def __init__(
        self,
        name: str,
        row_shape: tuple[int | None, ...],
        dtype: str,
        make: MakeArray,
        packing: Quantizer | None,
    ):
        self.dtype, self._packing = dtype, packing
        self.kept_dtype = dtype if packing is None else _dtype_of_codes(packing)
        self._values = make(name, row_shape, self.kept_dtype)
        self.arrays = {name: self._values}
        if packing is not None:
            self._scales = self.arrays[f"{name}_scales"] = make(f"{name}_scales", (), dtype)

    def read(self, number: tf.Tensor) -> tf.Tensor:
        """The tensor of minibatch ``number``."""
        values = self._values.row(number)
        if self._packing is None:
            return values
        return tf.cast(values, self.dtype) * self._scales.row(number)

    def write(self, number: tf.Tensor, value: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
        """Replaces the tensor of minibatch ``number``; returns as ``TableArray.set_row``.

        Args:
            number: int64 scalar.
            value: the tensor.
            counter: int64 scalar, for the random bits of packing.
        """
        value = tf.cast(value, self.dtype)
        if self._packing is None:
            return self._values.set_row(number, value)
        scale = self._packing.scale(value)
        rounded = self._packing(value, counter, scale=scale)
        codes = tf.cast(tf.round(tf.math.divide_no_nan(rounded, scale)), self._values.dtype)
        return self._scales.set_row(number, scale) & self._values.set_row(number, codes)

    def resize(self, count: int, row_shape: tuple[int, ...]) -> None:
        """Zeros for ``count`` minibatches."""
        self._values.assign(_zeros((count, *row_shape), self.kept_dtype))
        if self._packing is not None:
            self._scales.assign(_zeros((count,), self.dtype))

    def parts(self) -> Iterable[tuple[int, int, np.ndarray]]:
        """(first, last, tensors of these minibatches), all of them in turn; codes in float64."""
        for first, last in blocks(self._values):
            values = self._values.rows(first, last)
            if self._packing is not None:
                scales = self._scales.rows(first, last).astype(np.float64)
                values = values * scales.reshape(-1, *[1] * (values.ndim - 1))
            yield first, last, values


class DenseEntry:
    """T_i of a variable whose gradient is dense.

    Args:
        name: of its array.
        shape, dtype: of the gradient.
        make, packing: as for ``Numbers``.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        make: MakeArray,
        packing: Quantizer | None,
    ):
        self._shape, self._numbers = shape, Numbers(name, shape, dtype, make, packing)
        self.dtype = self._numbers.kept_dtype
        self.arrays: Mapping[str, TableArray] = self._numbers.arrays

    def shape_for(self, most_rows: int) -> tuple[int, ...]:
        """The shape of a minibatch's entry."""
        return self._shape

    def resize(self, count: int, most_rows: int) -> None:
        """Zeros for ``count`` minibatches."""
        self._numbers.resize(count, self._shape)

    def read(self, number: tf.Tensor) -> Gradient:
        """T_i for i = ``number``."""
        return self._numbers.read(number)

    def write(self, number: tf.Tensor, gradient: Gradient, counter: tf.Tensor) -> tf.Tensor:
        """T_i ← ``gradient``; returns whether it fitted, a bool scalar."""
        like = tf.TensorSpec(self._shape, self._numbers.dtype)
        return self._numbers.write(number, dense(gradient, like), counter)

    def mean(self, weights: np.ndarray) -> np.ndarray:
        """Σ_i weights_i T_i, added up in float64."""
        total = np.zeros(math.prod(self._shape))
        for first, last, values in self._numbers.parts():
            for weight, value in zip(weights[first:last], values, strict=True):
                _add(total, weight, value.reshape(-1))
        return total.reshape(self._shape)


class RowsEntry:
    """T_i of an embedding: some rows, in the order in which they occur in the minibatch.

    Args:
        name: of its array of values; that of the rows' numbers is ``<name>_rows``.
        shape, dtype: of the whole embedding.
        make, packing: as for ``Numbers``.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        make: MakeArray,
        packing: Quantizer | None,
    ):
        self._shape, self._rows = shape, make(f"{name}_rows", (None,), "int32")
        self._numbers = Numbers(name, (None, *shape[1:]), dtype, make, packing)
        self.dtype = self._numbers.kept_dtype
        self.arrays: Mapping[str, TableArray] = {
            **self._numbers.arrays,
            f"{name}_rows": self._rows,
        }

    def shape_for(self, most_rows: int) -> tuple[int, ...]:
        """The shape of a minibatch's entry, which touches so many rows at most."""
        return (min(most_rows, self._shape[0]), *self._shape[1:])

    def resize(self, count: int, most_rows: int) -> None:
        """No rows for ``count`` minibatches, with room for at most ``most_rows``."""
        room, *_ = shape = self.shape_for(most_rows)
        self._numbers.resize(count, shape)
        self._rows.assign(np.full((count, room), _NO_ROW, np.int32))

    def read(self, number: tf.Tensor) -> Gradient:
        """T_i for i = ``number``."""
        rows = self._rows.row(number)
        count = tf.reduce_sum(tf.cast(rows != _NO_ROW, tf.int32))
        values = self._numbers.read(number)[:count]
        return tf.IndexedSlices(values, rows[:count], tf.constant(self._shape))

    def write(self, number: tf.Tensor, gradient: Any, counter: tf.Tensor) -> tf.Tensor:
        """T_i ← ``gradient``, each row once; returns whether there was room, a bool scalar."""
        room = tf.size(self._rows.row(number))
        count = tf.size(gradient.indices)
        fits, kept = count <= room, tf.minimum(count, room)
        empty = room - kept
        rows = tf.pad(
            tf.cast(gradient.indices[:kept], tf.int32), [[0, empty]], constant_values=_NO_ROW
        )
        values = gradient.values[:kept]
        padding = [[0, empty], *[[0, 0]] * (values.shape.rank - 1)]
        done = self._numbers.write(number, tf.pad(values, padding), counter)
        return fits & done & self._rows.set_row(number, rows)

    def mean(self, weights: np.ndarray) -> np.ndarray:
        """Σ_i weights_i T_i, dense, added up in float64."""
        total = np.zeros(self._shape)
        for first, last, values in self._numbers.parts():
            rows = self._rows.rows(first, last)
            for weight, where, value in zip(weights[first:last], rows, values, strict=True):
                is_row = where != _NO_ROW
                total[where[is_row]] += weight * value[is_row].astype(np.float64)
        return total


def _add(total: np.ndarray, weight: float, values: np.ndarray) -> None:
    """total += weight · values, of vectors, in float64."""
    for start in range(0, total.size, _CACHED):
        some = slice(start, start + _CACHED)
        total[some] += weight * values[some].astype(np.float64)


def _dtype_of_codes(packing: Quantizer) -> str:
    assert isinstance(packing.format, formats.ScaledInteger)
    return "int8" if packing.format.word_bits <= 8 else "int16"


def _zeros(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.zeros(shape, tf.as_dtype(dtype).as_numpy_dtype)
