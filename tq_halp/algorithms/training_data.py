"""``FitData``: the data that ``fit`` or ``train_on_batch`` train on, and how large they are."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Part
from tq_halp.algorithms.batches import Batches, OnlyOnceError
from tq_halp.algorithms.training_loop import warn_of_unread_data
from tq_halp.errors import InputError


class FitData(Part):
    """The training data of a trainer, and the number of samples in its epochs.

    Attributes:
        batches: the data; None if they can be read only once.
        steps_per_epoch: as given to ``fit``; None for the number of minibatches in the data.
        length_is_known: whether the number of steps in an epoch is known before its end.
        has_begun: whether a training is under way, with ``fit`` or ``train_on_batch``.
        epochs_seen: number of epochs since the data were set.
        samples_per_epoch: mean number of samples in these epochs; None before the first ends.
        samples_before_epoch: number of samples in all steps before the epoch.
    """

    numbers = {
        "has_begun": False,
        "samples_per_epoch": None,
        "epochs_seen": 0,
        "samples_before_epoch": 0,
    }
    has_begun: bool
    samples_per_epoch: float | None
    epochs_seen: int
    samples_before_epoch: int

    def __init__(self) -> None:
        self.batches: Batches | None = None
        self.steps_per_epoch: int | None = None
        self.length_is_known = True
        self._given_batches: Batches | None = None

    # ---- which data --------------------------------------------------------------------------

    def set_for_fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        batch_size: int | None = None,
        class_weight: Mapping[int, float] | None = None,
        steps_per_epoch: int | None = None,
        full_gradient_data: Any = None,
    ) -> None:
        """Takes the arguments of ``Trainer.fit`` that concern the data.

        Raises:
            InputError: the data have no samples, or can be read only once and full gradients need
                them again.
        """
        data = (x, y, sample_weight) if full_gradient_data is None else full_gradient_data
        is_whole = isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(
            (data,) if is_whole else data
        )
        try:
            self.batches = Batches(inputs, targets, weights, batch_size, class_weight)
        except OnlyOnceError:
            if self.trainer.snapshots is not None and self.trainer.snapshots.takes_pass:
                raise
            self.batches = None
        self.samples_per_epoch, self.epochs_seen = None, 0
        self.steps_per_epoch = steps_per_epoch
        self.length_is_known = steps_per_epoch is not None or _length_is_known(x)

    def set_by_hand(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        class_weight: Mapping[int, float] | None,
    ) -> None:
        """Takes the arguments of ``Trainer.set_full_gradient_data``."""
        if isinstance(x, tuple) and y is None:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(x)
        self._given_batches = Batches(x, y, sample_weight, batch_size, class_weight)
        self.has_begun = False

    def begin_by_hand(self) -> None:
        """Called before the first step with ``train_on_batch``, which calls no callbacks.

        Raises:
            InputError: the algorithm must know the data, and ``set_full_gradient_data`` was not
                called.
        """
        wanted = next(filter(None, (part.wants_data_for() for part in self.trainer.parts)), None)
        if self._given_batches is None:
            if wanted is None:
                return
            raise InputError(
                f"{type(self.trainer).__name__} must know the training data before "
                f"train_on_batch: {wanted}. Call set_full_gradient_data(x, y, batch_size=...) "
                "first, or use fit"
            )
        self.batches, self.steps_per_epoch = self._given_batches, None
        self.length_is_known = True

    def first_inputs(self, x: Any) -> Any:
        """The inputs of the first minibatch, with which a model is built.

        Args:
            x: the argument of ``fit``.

        Raises:
            InputError: reading the minibatch would take it away from training.
        """
        if self.batches is not None:
            return next(iter(self.batches))[0]
        if isinstance(x, tf.data.Dataset):
            return keras.utils.unpack_x_y_sample_weight(next(iter(x)))[0]
        raise InputError(
            "The model is not built and its input shape cannot be read from a "
            f"{type(x).__name__}: call the model once, or give it an Input."
        )

    def fixed(self, shuffle: bool) -> tf.data.Dataset | None:
        """The data to train on if minibatches must have the same samples in every epoch, or None.

        The samples are shuffled once, by the trainer's seed. Each epoch shuffles the minibatches.
        None if the estimator does not ask for this, if the data are not arrays, or if ``shuffle``
        is false, since then the minibatches have the same samples anyway.
        """
        trainer = self.trainer
        if not shuffle or self.batches is None or not self.batches.of_arrays:
            return None
        for part in trainer.parts:
            part.check_order()
        if not trainer.estimator.keeps_batches(next(iter(self.batches))[0]):
            return None
        step = 0 if trainer.estimator.outlives_fit else int(trainer.step_count)
        seed = np.random.default_rng([trainer.seed, step])
        arrays, samples = self.batches, self.batches.sample_count
        order = seed.permutation(samples)
        in_order, shuffled = arrays.fixed(order, int(seed.integers(2**31)))
        self.batches = Batches(in_order, class_weight=arrays.class_weight)
        self.batches.sample_count = samples
        return shuffled

    def steps_in_epoch(self) -> int | None:
        """The number of steps in an epoch; None if it is known only at its end."""
        if self.steps_per_epoch is not None or self.batches is None:
            return self.steps_per_epoch
        return self.batches.counted() if self.length_is_known else None

    # ---- how far -----------------------------------------------------------------------------

    def note_epoch_begin(self) -> None:
        """Called before the first step of an epoch."""
        self.samples_before_epoch = int(self.trainer.sample_count)

    def note_epoch_end(self) -> None:
        """Called after the last step of an epoch: updates ``samples_per_epoch``."""
        trainer = self.trainer
        samples = int(trainer.sample_count) - self.samples_before_epoch
        if not (self.length_is_known or trainer.stop_training):
            warn_of_unread_data(trainer.train_function)
        self.epochs_seen += 1
        former = self.samples_per_epoch or 0
        self.samples_per_epoch = former + (samples - former) / self.epochs_seen

    @property
    def samples_of_a_pass(self) -> float:
        """N, the number of samples in the data; if unknown, the mean of the epochs so far."""
        known = self.batches.sample_count if self.batches is not None else None
        return known or self.samples_per_epoch or 1


def _length_is_known(x: Any) -> bool:
    if isinstance(x, tf.data.Dataset):
        return int(x.cardinality()) != tf.data.UNKNOWN_CARDINALITY
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))
