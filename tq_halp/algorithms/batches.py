"""``Batches``: the training data as minibatches that can be read again, for the full gradient."""

import itertools
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.byte_order import native
from tq_halp.errors import InputError


def split_validation(
    x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Splits (x, y, sample_weight) into training and validation data, as ``fit`` of Keras does.

    The validation data are the last ``fraction`` of the samples.

    Raises:
        InputError: the data are not arrays or tensors.
    """
    leaves = leaves_of((x, y, sample_weight))
    if any(not hasattr(leaf, "shape") for leaf in leaves):
        raise InputError(
            "validation_split needs arrays or tensors as x and y; "
            f"received x of type {type(x).__name__}. Pass validation_data instead."
        )
    cut = int(samples_of(x) * (1.0 - fraction))

    def part(piece: slice) -> tuple[Any, Any, Any]:
        return keras.tree.map_structure(
            lambda a: None if a is None else a[piece], (x, y, sample_weight)
        )

    return part(slice(None, cut)), part(slice(cut, None))


class OnlyOnceError(InputError):
    """The data can be read only once, or are endless."""


def no_samples() -> InputError:
    """The error for data without samples."""
    return InputError("The training data must have at least one sample. Received none")


class Batches:
    """Iterates over minibatches ``(x, y, sample_weight)`` in a fixed order, any number of times.

    Args:
        x: arrays (or a nest of them), a finite batched ``tf.data.Dataset`` or a ``PyDataset``.
        y, sample_weight: arrays if ``x`` is arrays; else None.
        batch_size: samples per batch of arrays (default 32, as in Keras).
        class_weight: {class index: weight of its samples}, as for ``keras.Model.fit``.

    Attributes:
        sample_count: number of samples; None if it is known only after a pass over the data.
        batch_count: number of minibatches; None if it is known only after a pass over the data.

    Raises:
        OnlyOnceError: the data cannot be read a second time, or are endless.
        InputError: there are no samples, or an argument is not one of the above.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ):
        self._source = x
        self.class_weight = class_weight
        self._arrays: tuple[Any, Any, Any] | None = None
        self.sample_count: int | None = None
        self.batch_count: int | None = None
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

    def _init_dataset(self, dataset: tf.data.Dataset) -> None:
        cardinality = int(dataset.cardinality())
        self._check_finite(
            cardinality != tf.data.INFINITE_CARDINALITY, "an endless tf.data.Dataset"
        )
        if cardinality >= 0:
            self.batch_count = cardinality

    @staticmethod
    def _check_finite(ok: bool, received: str) -> None:
        if not ok:
            raise OnlyOnceError(
                "The full gradient needs training data that can be passed over again: arrays, a "
                f"finite tf.data.Dataset or a PyDataset. Received {received}. Pass such data as "
                "full_gradient_data to fit()."
            )

    def counted(self) -> int:
        """``batch_count``; the data are read once if it is not known."""
        if self.batch_count is None:
            self.batch_count = sum(1 for _ in self)
        return self.batch_count

    def some(self, count: int) -> Iterator[tuple[Any, Any, Any]]:
        """At most ``count`` minibatches: evenly spaced ones of arrays, the first of other data."""
        if not self.of_arrays or self.batch_count is None:
            yield from itertools.islice(self, count)
            return
        number = min(count, self.batch_count)
        yield from self.numbered([index * self.batch_count // number for index in range(number)])

    def part(self, fraction: float, seed: Sequence[int]) -> "BatchesPart":
        """A random share of the minibatches, drawn without replacement.

        Raises:
            InputError: their number is known only after a pass over the data.
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

    def numbered(self, numbers: Sequence[int]) -> Iterator[tuple[Any, Any, Any]]:
        """The minibatches with these numbers, from 0 and ascending."""
        if isinstance(self._source, tf.data.Dataset):
            wanted = set(numbers)
            read = enumerate(itertools.islice(self._source, numbers[-1] + 1))
            batches = (batch for number, batch in read if number in wanted)
        elif isinstance(self._source, keras.utils.PyDataset):
            batches = (self._source[number] for number in numbers)
        else:
            batches = (self._cut(number * self._batch_size) for number in numbers)
        return map(self._weighted, batches)

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        if self.batch_count is None or isinstance(self._source, tf.data.Dataset):
            return map(self._weighted, self._source)
        return self.numbered(range(self.batch_count))

    def _cut(self, start: int) -> tuple[Any, Any, Any]:
        """The minibatch of arrays whose first sample is ``start``."""
        return _each(lambda array: _as_batch(array[start : start + self._batch_size]), self._arrays)

    def _weighted(self, batch: Any) -> tuple[Any, Any, Any]:
        """``(x, y, sample_weight)``, the latter from ``class_weight`` if there is one."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        if self.class_weight is not None:
            sample_weight = weights_of_classes(y, self.class_weight)
        return x, y, sample_weight

    @property
    def of_arrays(self) -> bool:
        """Whether the minibatches are cut from arrays, so that other ones could be cut."""
        return self._arrays is not None

    def fixed(self, order: np.ndarray, seed: int) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        """Two data sets of minibatches of the arrays, with the same samples at each iteration.

        Args:
            order: the numbers of the samples in the order in which they are cut into minibatches.
            seed: of the order of the minibatches.

        Returns:
            The minibatches in one order, and those that each iteration shuffles. The arrays are
            held once for both.
        """
        x, y, sample_weight = keras.tree.lists_to_tuples(_each(_as_batch, self._arrays))

        def batch(these: tf.Tensor) -> Any:
            parts = _each(lambda array: tf.gather(array, these), (x, y, sample_weight))
            return keras.utils.pack_x_y_sample_weight(*parts)

        options = tf.data.Options()
        # At the end of an epoch TensorFlow may wait for the thread that would tune the buffers.
        options.autotune.enabled = False

        def cut(numbers: tf.data.Dataset) -> tf.data.Dataset:
            return numbers.map(batch).prefetch(2).with_options(options)

        # Shuffled are the numbers of the samples: a buffer of minibatches would hold all the data.
        numbers = tf.data.Dataset.from_tensor_slices(order).batch(self._batch_size)
        return cut(numbers), cut(numbers.shuffle(self.batch_count, seed=seed))


class BatchesPart:
    """Some of the minibatches, the same at each iteration.

    Args:
        batches: all of them.
        numbers: which, ascending from 0.
    """

    def __init__(self, batches: Batches, numbers: list[int]):
        self._batches, self.numbers = batches, numbers
        self.batch_count = len(numbers)

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        return self._batches.numbered(self.numbers)


def size_of_part(fraction: float, batch_count: int) -> int:
    """The number of minibatches nearest to ``fraction`` · ``batch_count``, at least 1."""
    return max(1, round(fraction * batch_count))


def _each(function: Callable[[Any], Any], arrays: Any) -> Any:
    return keras.tree.map_structure(lambda a: None if a is None else function(a), arrays)


def leaves_of(data: Any) -> list[Any]:
    """The arrays and tensors in a nest of them, without None; a ragged tensor is one leaf."""
    flat = tf.nest.flatten(data) if data is not None else []
    return [leaf for leaf in flat if leaf is not None]


def _check_arrays(
    x: Any, y: Any, sample_weight: Any, batch_size: Any, class_weight: Mapping | None
) -> None:
    counts = {samples_of(leaf) for leaf in leaves_of((x, y, sample_weight))}
    if len(counts) > 1:
        raise InputError(
            "x, y and sample_weight must have as many samples each. Received: "
            f"{', '.join(str(count) for count in sorted(counts))}"
        )
    is_count = isinstance(batch_size, numbers.Integral) and int(batch_size) >= 1
    if batch_size is not None and not is_count:
        raise InputError(f"batch_size must be a positive integer. Received: {batch_size!r}")
    if class_weight is not None and sample_weight is not None:
        raise InputError("class_weight must be None beside sample_weight. Received both")


def _is_sparse(leaf: Any) -> bool:
    # tocsr: a matrix of SciPy, which need not be installed.
    return isinstance(leaf, tf.SparseTensor) or hasattr(leaf, "tocsr")


def samples_of(x: Any) -> int:
    """Number of samples in arrays, tensors or ragged tensors."""
    first = leaves_of(x)[0]
    return int(first.nrows() if isinstance(first, tf.RaggedTensor) else first.shape[0])


def _as_batch(array: Any) -> Any:
    """A tensor, float64 cast to ``floatx`` as Keras does: full gradients must see the same data."""
    # TensorFlow takes arrays in this machine's byte order only.
    array = array if tf.is_tensor(array) else native(np.asarray(array))
    if array.dtype in (np.float64, tf.float64):
        return tf.cast(array, keras.config.floatx())
    return array if isinstance(array, tf.RaggedTensor) else tf.convert_to_tensor(array)


def weights_of_classes(y: Any, class_weight: Mapping[int, float]) -> tf.Tensor:
    """The sample weights that Keras makes from ``class_weight``.

    Args:
        y: class indices, of shape (samples,) or (samples, 1), or one-hot, (samples, classes).
        class_weight: {class index: weight}; 1 for a class that is not in it.

    Returns:
        Tensor of shape (samples,) in ``floatx``.
    """
    classes = np.asarray(y)
    if classes.ndim > 1:
        classes = np.argmax(classes, -1) if classes.shape[-1] != 1 else np.squeeze(classes, -1)
    weights = [class_weight.get(int(each), 1.0) for each in np.round(classes)]
    return tf.constant(weights, keras.config.floatx())
