"""``Table``: T_i of all trainable variables for n minibatches, and their mean."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.batches import leaves_of
from tq_halp.algorithms.gradient_tables.minibatch_numbers import MinibatchNumbers
from tq_halp.algorithms.gradient_tables.table_arrays import InMemory, OnDisk, TableArray
from tq_halp.algorithms.gradient_tables.table_entries import DenseEntry, RowsEntry
from tq_halp.algorithms.gradient_tables.table_size import TableSize, check_fits
from tq_halp.algorithms.minibatch_gradient import Gradient, ordinary_gradients
from tq_halp.algorithms.transform_locking import only_traced
from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers import Quantizer

PREFIX = "table"


class Table:
    """The entries of a gradient table; empty until the data are known, or a file is loaded.

    Args:
        trainer: whose gradients it holds; it is built.
        folder: where the entries' files are; None to keep the entries in memory.
        packing: as for ``Numbers``.

    Attributes:
        numbers: which minibatch is which.
        entries: one for each trainable variable.
    """

    def __init__(
        self,
        trainer: keras.Model,
        folder: str | None,
        packing: Quantizer | None,
    ):
        self._trainer, self._folder, self._packing = trainer, folder, packing
        self.numbers = MinibatchNumbers(PREFIX)
        self.entries: list[DenseEntry | RowsEntry] = []
        for array in self.numbers.arrays.values():
            _attach(trainer, array)
        if not has_embeddings(trainer):
            self._make_entries([False] * len(trainer.trainable_variables))

    def arrays(self) -> dict[str, TableArray]:
        """{name in a file: array}, in a fixed order."""
        if not self.entries:
            return {}
        found: dict[str, TableArray] = dict(self.numbers.arrays)
        for entry in self.entries:
            found |= entry.arrays
        return found

    def _make_array(self, name: str, row_shape: tuple[int | None, ...], dtype: str) -> TableArray:
        if self._folder is not None:
            return OnDisk(name, row_shape, dtype, self._folder)
        array = InMemory(name, row_shape, dtype)
        _attach(self._trainer, array)
        return array

    def _make_entries(self, by_rows: Sequence[bool]) -> None:
        weights = self._trainer.trainable_variables
        self.entries = [
            (RowsEntry if is_by_rows else DenseEntry)(
                *(f"{PREFIX}_{index}", tuple(weight.shape), weight.dtype),
                *(self._make_array, self._packing),
            )
            for index, (weight, is_by_rows) in enumerate(zip(weights, by_rows, strict=True))
        ]

    def load(self, stored: Mapping[str, Any]) -> None:
        """Takes the arrays of a table from a file, if it holds one."""
        held = {name: stored[name] for name in stored.keys() if _is_of_table(name)}
        if held and not self.entries:
            count = len(self._trainer.trainable_variables)
            self._make_entries([f"{PREFIX}_{index}_rows" in held for index in range(count)])
        for name, array in self.arrays().items():
            if name in held:
                array.assign(np.asarray(held[name]))

    # ---- its size ----------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """n, the number of minibatches that it has room for."""
        return self.numbers.count

    def size_for(self, count: int, first: Sequence[Any]) -> TableSize:
        """What it takes for ``count`` minibatches.

        Args:
            count: n.
            first: x, y and sample weights of one of them.

        Raises:
            InputError: there is no room for it.
        """
        if not self.entries:
            self._make_entries(kept_by_rows(self._trainer, first))
        shapes = [entry.shape_for(_inputs_in(first)) for entry in self.entries]
        size = TableSize(count, shapes, [entry.dtype for entry in self.entries])
        check_fits(size, self._folder)
        return size

    def is_for(self, count: int, key: int, is_full: bool) -> bool:
        """Whether it is that of ``count`` minibatches, among them the one with a hash ``key``."""
        return (
            bool(self.entries) and self.count == count and (not is_full or self.numbers.knows(key))
        )

    def make_room(self, count: int, first: Sequence[Any]) -> None:
        """Empties it; the arguments are those of ``size_for``."""
        self.size_for(count, first)
        self.numbers.resize(count)
        for entry in self.entries:
            entry.resize(count, _inputs_in(first))

    # ---- its entries -------------------------------------------------------------------------

    def read(self, number: tf.Tensor, like: Sequence[Gradient]) -> list[Gradient]:
        """T_i for each variable; None, or its rows numbered in another dtype, as in ``like``."""
        return [
            None if gradient is None else _with_rows_as(entry.read(number), gradient)
            for entry, gradient in zip(self.entries, like, strict=True)
        ]

    def write(
        self, number: tf.Tensor, gradients: Sequence[Gradient], counters: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """T_i ← ``gradients``, but for those that are None.

        Returns:
            Whether all rows of embeddings had room, a bool scalar.
        """
        written = [
            entry.write(number, gradient, counter)
            for entry, gradient, counter in zip(self.entries, gradients, counters, strict=True)
            if gradient is not None
        ]
        return tf.reduce_all(tf.stack(written))

    def mean(self) -> list[np.ndarray]:
        """Σ_i n_i T_i / N over the minibatches seen so far, dense, in float64."""
        shares = self.numbers.shares()
        return [entry.mean(shares) for entry in self.entries]


def _with_rows_as(entry: Any, gradient: Gradient) -> Gradient:
    if not isinstance(entry, tf.IndexedSlices) or not isinstance(gradient, tf.IndexedSlices):
        return entry
    rows = tf.cast(entry.indices, gradient.indices.dtype)
    return tf.IndexedSlices(entry.values, rows, gradient.dense_shape)


def _inputs_in(batch: Sequence[Any]) -> int:
    """The number of inputs in a minibatch, as many as the rows that it may touch."""
    return sum(int(np.size(leaf)) for leaf in leaves_of(batch[0]))


def _is_of_table(name: str) -> bool:
    """Whether an array in a file is of a table, by its name there."""
    return re.fullmatch(rf"{PREFIX}_(keys|samples|\d+(_scales|_rows)?)", name) is not None


def _attach(trainer: keras.Model, array: InMemory) -> None:
    """tf.train.Checkpoint saves attributes that are variables."""
    setattr(trainer, f"_data_state_{array.path}", array.variable)


def has_embeddings(model: keras.Model) -> bool:
    """Whether the gradient of a variable may be that of some rows."""
    return any(isinstance(layer, keras.layers.Embedding) for layer in flatten_layers(model))


def kept_by_rows(model: keras.Model, batch: Sequence[Any]) -> list[bool]:
    """For each trainable variable whether its gradient is that of an embedding, i.e. of some rows.

    Args:
        model: a compiled trainer. A training pass is traced, and does not run.
        batch: x, y and sample weights of a minibatch.
    """
    kinds = [False] * len(model.trainable_variables)

    def gradients(x: Any, y: Any, sample_weight: Any) -> None:
        found, _, _ = ordinary_gradients(model, x, y, sample_weight)
        kinds[:] = [isinstance(gradient, tf.IndexedSlices) for gradient in found]

    with only_traced(model):
        tf.function(gradients, autograph=False).get_concrete_function(*batch)
    return kinds
