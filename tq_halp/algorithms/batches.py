"""The training data as something that can be passed over again, for the full gradient."""

import itertools
import numbers

import keras
import numpy as np
import tensorflow as tf

from tq_halp.byte_order import native
from tq_halp.errors import InputError


def split_validation(x, y, sample_weight, fraction):
    """The last ``fraction`` of the samples for validation, as Keras' ``validation_split`` does."""
    leaves = leaves_of((x, y, sample_weight))
    if any(not hasattr(leaf, "shape") for leaf in leaves):
        raise InputError(
            "validation_split needs arrays or tensors as x and y; "
            f"received x of type {type(x).__name__}. Pass validation_data instead."
        )
    cut = int(samples_of(x) * (1.0 - fraction))

    def part(piece):
        return keras.tree.map_structure(
            lambda a: None if a is None else a[piece], (x, y, sample_weight)
        )

    return part(slice(None, cut)), part(slice(cut, None))


class OnlyOnceError(InputError):
    """The data can be read only once."""


def no_samples() -> InputError:
    """The error of data that hold nothing."""
    return InputError("The training data must have at least one sample. Received none")


class Batches:
    """Minibatches ``(x, y, sample_weight)`` in a fixed order, as often as asked.

    Args:
        x: arrays (or a nest of them), a finite batched ``tf.data.Dataset`` or a ``PyDataset``.
        y, sample_weight: arrays when ``x`` is; else None.
        batch_size: samples per batch for arrays (default 32, as in Keras).
        class_weight: {class index: weight of its samples}, as for ``keras.Model.fit``.

    Attributes:
        sample_count: number of samples, or None when only a pass over the data can tell.
        batch_count: number of batches, or None likewise.

    Raises:
        OnlyOnceError: the data cannot be iterated a second time, or never ends.
        InputError: there are no samples.
    """

    def __init__(self, x, y=None, sample_weight=None, batch_size=None, class_weight=None):
        self._source = x
        self.class_weight = class_weight
        self._arrays = None
        self.sample_count = None
        self.batch_count = None
        if isinstance(x, tf.data.Dataset):
            self._init_dataset(x)
        elif isinstance(x, keras.utils.PyDataset):
            self.batch_count = x.num_batches
            self._check_finite(self.batch_count is not None, "a PyDataset without a length")
        elif any(map(_is_sparse, leaves_of(x))):
            self._check_finite(False, "sparse arrays, which cannot be cut into batches")
        elif x is not None and all(hasattr(leaf, "shape") for leaf in leaves_of(x)):
            _check_arrays(x, y, sample_weight, batch_size, class_weight)
            self._arrays = (x, y, sample_weight)
            self._batch_size = batch_size or 32
            self.sample_count = samples_of(x)
            self.batch_count = -(-self.sample_count // self._batch_size)
        else:
            once = ", which can be read only once" if hasattr(x, "__next__") else ""
            self._check_finite(False, f"a {type(x).__name__}{once}")
        if self.batch_count == 0:
            raise no_samples()

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
            raise OnlyOnceError(
                "The full gradient needs training data that can be passed over again: arrays, a "
                f"finite tf.data.Dataset or a PyDataset. Received {received}. Pass such data as "
                "full_gradient_data to fit()."
            )

    def some(self, count):
        """That many batches at most: of arrays evenly spaced ones, else the first."""
        if not self.of_arrays:
            yield from itertools.islice(self, count)
            return
        number = min(count, self.batch_count)
        yield from self.numbered([index * self.batch_count // number for index in range(number)])

    def part(self, fraction, seed):
        """A ``BatchesPart``: a random fraction of the batches, without repetition.

        Raises:
            InputError: only a pass over the data can tell how many there are.
        """
        if self.batch_count is None:
            raise InputError(
                "snapshot_fraction must be 1 for a tf.data.Dataset of unknown length: which "
                "batches are a random part of it cannot be told before the pass. Give it a length "
                "(tf.data.experimental.assert_cardinality), or pass arrays"
            )
        count = size_of_part(fraction, self.batch_count)
        numbers = np.random.default_rng(seed).permutation(self.batch_count)[:count]
        return BatchesPart(self, sorted(numbers.tolist()))

    def numbered(self, numbers):
        """The batches with these numbers, which ascend; a data set is read from its beginning."""
        if isinstance(self._source, tf.data.Dataset):
            wanted = set(numbers)
            batches = itertools.islice(self._source, numbers[-1] + 1)
            batches = (batch for number, batch in enumerate(batches) if number in wanted)
        elif isinstance(self._source, keras.utils.PyDataset):
            batches = (self._source[number] for number in numbers)
        else:
            batches = (self._cut(number * self._batch_size) for number in numbers)
        return map(self._weighted, batches)

    def __iter__(self):
        if isinstance(self._source, tf.data.Dataset):
            return map(self._weighted, self._source)
        return self.numbered(range(self.batch_count))

    def _cut(self, start):
        return _each(lambda array: _as_batch(array[start : start + self._batch_size]), self._arrays)

    def _weighted(self, batch):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        if self.class_weight is not None:
            sample_weight = weights_of_classes(y, self.class_weight)
        return x, y, sample_weight

    @property
    def of_arrays(self):
        """Whether the batches are cut from arrays, so that samples could be put together anew."""
        return self._arrays is not None

    def fixed(self, seed):
        """Arrays shuffled once and cut into batches that stay together.

        Returns:
            A ``tf.data.Dataset`` of the batches, always in the same order.
        """
        order = np.random.default_rng(seed).permutation(self.sample_count)
        x, y, sample_weight = keras.tree.lists_to_tuples(_each(_as_batch, self._arrays))

        def batch(these):
            parts = _each(lambda array: tf.gather(array, these), (x, y, sample_weight))
            return keras.utils.pack_x_y_sample_weight(*parts)

        return tf.data.Dataset.from_tensor_slices(order).batch(self._batch_size).map(batch)


class BatchesPart:
    """Some of the batches, in their order; as often as asked the same ones."""

    def __init__(self, batches, numbers):
        self._batches, self.numbers = batches, numbers
        self.batch_count = len(numbers)

    def __iter__(self):
        return self._batches.numbered(self.numbers)


def size_of_part(fraction, batch_count):
    """Number of batches that a fraction of them is: the nearest, and at least one."""
    return max(1, round(fraction * batch_count))


def _each(function, arrays):
    return keras.tree.map_structure(lambda a: None if a is None else function(a), arrays)


def leaves_of(data):
    """The arrays and tensors in a nest of them, ragged tensors as one, None left out."""
    flat = tf.nest.flatten(data) if data is not None else []
    return [leaf for leaf in flat if leaf is not None]


def _check_arrays(x, y, sample_weight, batch_size, class_weight):
    counts = {samples_of(leaf) for leaf in leaves_of((x, y, sample_weight))}
    if len(counts) > 1:
        raise InputError(
            "x, y and sample_weight must have as many samples each. Received: "
            f"{', '.join(str(count) for count in sorted(counts))}"
        )
    is_count = isinstance(batch_size, numbers.Integral) and batch_size >= 1
    if batch_size is not None and not is_count:
        raise InputError(f"batch_size must be a positive integer. Received: {batch_size!r}")
    if class_weight is not None and sample_weight is not None:
        raise InputError("class_weight must be None beside sample_weight. Received both")


def _is_sparse(leaf):
    # SciPy's matrices, without importing it.
    return isinstance(leaf, tf.SparseTensor) or hasattr(leaf, "tocsr")


def samples_of(x) -> int:
    """Number of samples in arrays, tensors or ragged tensors."""
    first = leaves_of(x)[0]
    return int(first.nrows() if isinstance(first, tf.RaggedTensor) else first.shape[0])


def _as_batch(array):
    """Keras casts float64 arrays to the model's float type; the full gradient must see the same."""
    # TensorFlow takes the byte order of this machine only.
    array = array if tf.is_tensor(array) else native(np.asarray(array))
    if array.dtype in (np.float64, tf.float64):
        return tf.cast(array, keras.config.floatx())
    return array if isinstance(array, tf.RaggedTensor) else tf.convert_to_tensor(array)


def weights_of_classes(y, class_weight):
    """The weight of each sample, by its class: ``y`` holds indices or, along its last axis, scores.

    Returns:
        A float tensor of shape (samples,); 1 for a class without a weight. What Keras makes of
        ``class_weight``.
    """
    classes = np.asarray(y)
    if classes.ndim > 1:
        classes = np.argmax(classes, -1) if classes.shape[-1] != 1 else np.squeeze(classes, -1)
    weights = [class_weight.get(int(each), 1.0) for each in np.round(classes)]
    return tf.constant(weights, keras.config.floatx())
