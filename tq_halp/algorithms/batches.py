"""The training data as something that can be passed over again, for the full gradient."""

import keras
import numpy as np
import tensorflow as tf


def split_validation(x, y, sample_weight, fraction):
    """The last ``fraction`` of the samples for validation, as Keras' ``validation_split`` does."""
    leaves = [leaf for leaf in keras.tree.flatten((x, y, sample_weight)) if leaf is not None]
    if any(not hasattr(leaf, "shape") for leaf in leaves):
        raise ValueError(
            "validation_split needs arrays or tensors as x and y; "
            f"received x of type {type(x).__name__}. Pass validation_data instead."
        )
    cut = int(leaves[0].shape[0] * (1.0 - fraction))

    def part(piece):
        return keras.tree.map_structure(
            lambda a: None if a is None else a[piece], (x, y, sample_weight)
        )

    return part(slice(None, cut)), part(slice(cut, None))


class Batches:
    """Minibatches ``(x, y, sample_weight)`` in a fixed order, as often as asked.

    Args:
        x: arrays (or a nest of them), a finite batched ``tf.data.Dataset`` or a ``PyDataset``.
        y, sample_weight: arrays when ``x`` is; else None.
        batch_size: samples per batch for arrays (default 32, as in Keras).

    Attributes:
        sample_count: number of samples, or None when only a pass over the data can tell.
        batch_count: number of batches, or None likewise.

    Raises:
        ValueError: the data cannot be iterated a second time, or never ends.
    """

    def __init__(self, x, y=None, sample_weight=None, batch_size=None):
        self._source = x
        self.sample_count = None
        self.batch_count = None
        if isinstance(x, tf.data.Dataset):
            self._init_dataset(x)
        elif isinstance(x, keras.utils.PyDataset):
            self.batch_count = x.num_batches
            self._check_finite(self.batch_count is not None, "a PyDataset without a length")
        elif x is not None and all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x)):
            self._arrays = (x, y, sample_weight)
            self._batch_size = batch_size or 32
            self.sample_count = int(keras.tree.flatten(x)[0].shape[0])
            self.batch_count = -(-self.sample_count // self._batch_size)
        else:
            self._check_finite(False, f"a {type(x).__name__}, which can be read only once")

    def _init_dataset(self, dataset):
        cardinality = int(dataset.cardinality())
        self._check_finite(
            cardinality != tf.data.INFINITE_CARDINALITY, "an endless tf.data.Dataset"
        )
        if cardinality >= 0:
            self.batch_count = cardinality

    @staticmethod
    def _check_finite(ok, received):
        if not ok:
            raise ValueError(
                "The full gradient needs training data that can be passed over again: arrays, a "
                f"finite tf.data.Dataset or a PyDataset. Received {received}. Pass such data as "
                "full_gradient_data to fit()."
            )

    def __iter__(self):
        if isinstance(self._source, tf.data.Dataset):
            batches = iter(self._source)
        elif isinstance(self._source, keras.utils.PyDataset):
            batches = (self._source[i] for i in range(self.batch_count))
        else:
            return self._iterate_arrays()
        return (keras.utils.unpack_x_y_sample_weight(batch) for batch in batches)

    def _iterate_arrays(self):
        for start in range(0, self.sample_count, self._batch_size):
            piece = slice(start, start + self._batch_size)
            yield keras.tree.map_structure(
                lambda a, piece=piece: None if a is None else _as_batch(a[piece]), self._arrays
            )


def _as_batch(array):
    """Keras casts float64 arrays to the model's float type; the full gradient must see the same."""
    array = array if tf.is_tensor(array) else np.asarray(array)
    if array.dtype in (np.float64, tf.float64):
        return tf.cast(array, keras.config.floatx())
    return tf.convert_to_tensor(array)
