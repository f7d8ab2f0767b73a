"""What ``fit`` or ``train_on_batch`` train on, and how many passes over it were made."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.batches import Batches, OnlyOnceError
from tq_halp.algorithms.part import Part
from tq_halp.algorithms.train_function import warn_of_what_is_left
from tq_halp.errors import InputError


class FitData(Part):
    """The training data of a trainer, and the counts of its epochs.

    Attributes:
        batches: the data, to be passed over again; None where they cannot be.
        steps_per_epoch: as given to ``fit``; None: what the data have.
        length_is_known: whether an epoch's number of batches is known before its end.
    """

    numbers = {
        "has_begun": False,
        "samples_per_epoch": None,
        "epochs_seen": 0,
        "samples_before_epoch": 0,
    }

    def __init__(self):
        self.batches, self.steps_per_epoch, self.length_is_known = None, None, True
        self._given_batches = None
        for name, value in self.numbers.items():
            setattr(self, name, value)

    # ---- which data --------------------------------------------------------------------------

    def set_for_fit(
        self, x, y, sample_weight, batch_size, class_weight, steps_per_epoch, full_gradient_data
    ) -> None:
        """The arguments of ``fit`` that concern the data.

        Raises:
            InputError: the data have no samples, or can be read only once where snapshots are
                taken.
        """
        data = (x, y, sample_weight) if full_gradient_data is None else full_gradient_data
        is_whole = isinstance(data, (tf.data.Dataset, keras.utils.PyDataset))
        data = (data,) if is_whole else keras.utils.unpack_x_y_sample_weight(data)
        try:
            self.batches = Batches(*data, batch_size=batch_size, class_weight=class_weight)
        except OnlyOnceError:
            if self.snapshots is not None:
                raise
            self.batches = None
        self.samples_per_epoch, self.epochs_seen = None, 0
        self.steps_per_epoch = steps_per_epoch
        self.length_is_known = steps_per_epoch is not None or _length_is_known(x)

    def set_by_hand(self, x, y, sample_weight, batch_size, class_weight) -> None:
        """Those of ``Trainer.set_full_gradient_data``."""
        if isinstance(x, tuple) and y is None:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(x)
        self._given_batches = Batches(x, y, sample_weight, batch_size, class_weight)
        self.has_begun = False

    def begin_by_hand(self) -> None:
        """Before the first step of ``train_on_batch``, which calls no callbacks.

        Raises:
            InputError: snapshots are to be taken of data that nobody has given.
        """
        if self.snapshots is None:
            return
        if self._given_batches is None:
            raise InputError(
                f"{type(self.trainer).__name__} must know the training data before "
                "train_on_batch: its snapshots take the gradient of all of them. Call "
                "set_full_gradient_data(x, y, batch_size=...) first, or use fit"
            )
        self.batches, self.steps_per_epoch = self._given_batches, None
        self.length_is_known = True

    def first_inputs(self, x) -> Any:
        """The inputs of a first minibatch, for a model that is built by its data.

        Raises:
            InputError: they cannot be had without being used up.
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
        """Arrays as batches of the same samples in every epoch; None where that is not asked for.

        The samples are shuffled once, by the trainer's seed, and then whole batches are.
        """
        trainer = self.trainer
        if not shuffle or not self.batches.of_arrays:
            return None
        if trainer.snapshots is not None:
            trainer.snapshots.check_order()
        if not trainer.estimator.keeps_batches(next(iter(self.batches))[0]):
            return None
        seed = np.random.default_rng([trainer.seed, int(trainer.step_count)])
        batches, samples = self.batches.fixed(seed), self.batches.sample_count
        self.batches = Batches(batches, class_weight=self.batches.class_weight)
        self.batches.sample_count = samples
        number = self.batches.batch_count
        return batches.shuffle(number, seed=int(seed.integers(2**31))).prefetch(2)

    # ---- how far -----------------------------------------------------------------------------

    def note_epoch_begin(self) -> None:
        """An epoch's first step comes next."""
        self.samples_before_epoch = int(self.trainer.sample_count)

    def note_epoch_end(self) -> None:
        """Takes an epoch's number of samples into their mean."""
        trainer = self.trainer
        samples = int(trainer.sample_count) - self.samples_before_epoch
        if not (self.length_is_known or trainer.stop_training):
            warn_of_what_is_left(trainer.train_function)
        self.epochs_seen += 1
        former = self.samples_per_epoch or 0
        self.samples_per_epoch = former + (samples - former) / self.epochs_seen

    @property
    def samples_of_a_pass(self) -> float:
        """Samples of the data; where only passes can tell, the mean of the epochs so far."""
        known = self.batches.sample_count if self.batches is not None else None
        return known or self.samples_per_epoch or 1


def _length_is_known(x) -> bool:
    if isinstance(x, tf.data.Dataset):
        return int(x.cardinality()) != tf.data.UNKNOWN_CARDINALITY
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))
