"""The order of the training examples: a function of seed and epoch, so that resuming repeats it."""

import keras
import numpy as np
import tensorflow as tf

# In place of an epoch's number: the order in which minibatches are formed once.
_ONCE = 2**63


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch, a permutation of 0 to count − 1, int64.

    Element i gets the i-th word of the Philox generator with the key (seed, epoch), and the words
    are sorted. NumPy guarantees the same words in every version.
    """
    words = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(count)
    return np.argsort(words, kind="stable")


class ShuffledExamples(keras.callbacks.Callback):
    """Serves the examples of each epoch in its order, and knows how far the epoch is.

    Args:
        x, y: arrays of one length; floating-point ones are cast to `keras.config.floatx()`, as
            Keras casts arrays.
        batch_size: examples in a step; the last step of an epoch may have fewer.
        seed: of the order; None keeps the order of the arrays.
        together: minibatches are formed once, and each epoch shuffles them instead of the examples.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        batch_size: int,
        seed: int | None,
        together: bool = False,
    ):
        super().__init__()
        count = len(x)
        self._batch_size, self._seed, self._together = batch_size, seed, together
        self.steps_per_epoch = -(-count // batch_size)
        #: The examples, in the order in which minibatches are cut from them.
        self.arrays = tuple(_as_keras_would(array) for array in (x, y))
        if together and seed is not None:
            once = permutation(count, seed, _ONCE)
            self.arrays = tuple(array[once] for array in self.arrays)
        #: The current epoch, from 0, and the number of its steps that are done.
        self.epoch, self.step = 0, 0
        self._examples = tf.Variable(np.arange(count))
        self._batches = tf.Variable(np.arange(self.steps_per_epoch))

    def batches(self, epoch: int, step: int) -> tf.data.Dataset:
        """The minibatches of each epoch without its first `step` ones, from `epoch` on."""
        self._first, self.epoch, self.step = step, epoch, step
        x, y = (tf.convert_to_tensor(array) for array in self.arrays)

        def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start = self._batches[number] * self._batch_size
            indices = self._examples[start : start + self._batch_size]
            return tf.gather(x, indices), tf.gather(y, indices)

        dataset = tf.data.Dataset.range(step, self.steps_per_epoch)
        return dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    @property
    def total_steps(self) -> int:
        """Steps since the run began."""
        return self.epoch * self.steps_per_epoch + self.step

    @property
    def epoch_is_done(self) -> bool:
        """Whether the epoch has no steps left."""
        return self.step == self.steps_per_epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Sets the order of the epoch; Keras asks for its examples afterwards."""
        self.epoch, self.step = epoch, self._first
        if self._seed is not None:
            order = self._batches if self._together else self._examples
            order.assign(permutation(order.shape[0], self._seed, epoch))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the step."""
        self.step += 1


def _as_keras_would(array: np.ndarray) -> np.ndarray:
    floating = np.issubdtype(array.dtype, np.floating)
    return array.astype(keras.config.floatx(), copy=False) if floating else array
