"""The outer iterations of the SVRG kinds: when a snapshot is taken, and what it leaves.

In the notation of De Sa et al. (arXiv 1803.03383, Algorithm 1):

    w̃  `center`         the snapshot            g̃ = ∇f(w̃)  `full_gradient`
    T  `segment_length`  steps between snapshots
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.base import TrainingAlgorithm
from tq_halp.algorithms.batches import Batches
from tq_halp.algorithms.full_gradient import FullGradient
from tq_halp.algorithms.rnn_states import CarriedStates, stateful_variables
from tq_halp.algorithms.snapshot_schedule import (
    check_executions,
    check_interval,
    check_start,
    steps_of_segment,
)
from tq_halp.errors import InputError


class OuterLoop(TrainingAlgorithm):
    """Training in segments, each of which begins with a snapshot; ``SVRG`` has the arguments."""

    needs_full_gradient = True
    #: Whether there are snapshots also where no step is corrected.
    needs_full_gradient_always = False
    host_state = (
        *TrainingAlgorithm.host_state,
        "snapshot_due",
        "segment_length",
        "segment_ends_with_epoch",
    )

    def __init__(
        self,
        model,
        *,
        snapshot_every="epoch",
        iterate="last",
        start_after=0,
        snapshot_fraction=1.0,
        **kwargs,
    ):
        check_interval(snapshot_every)
        check_start(start_after)
        if iterate not in ("last", "random"):
            raise InputError(f"iterate must be 'last' or 'random'. Received: {iterate!r}")
        is_number = isinstance(snapshot_fraction, (int, float)) and snapshot_fraction is not True
        if not (is_number and 0 < snapshot_fraction <= 1):
            raise InputError(
                "snapshot_fraction must be a number above 0 and at most 1. "
                f"Received: {snapshot_fraction!r}"
            )
        self.snapshot_every, self.iterate = snapshot_every, iterate
        self.start_after, self.snapshot_fraction = start_after, float(snapshot_fraction)
        self._given_batches = None
        super().__init__(model, **kwargs)

    def create_state(self):
        super().create_state()
        self.center = self._like_weights("center")
        self.full_gradient = self._like_weights("full_gradient")
        self.steps_since_snapshot = self._zeros("steps_since_snapshot")
        self.snapshot_count = self._zeros("snapshot_count")
        self.snapshot_samples = self._zeros("snapshot_samples")
        self.candidate = self._like_weights("candidate") if self.iterate == "random" else []
        self._carried = self._carry_states()
        self._traced_beside = None

    def _carry_states(self):
        states = stateful_variables(self.model)
        copies = [
            [self._zeros(name, state.shape, state.dtype) for state in states]
            for name in ("anchor_state", "seen_state")
        ]
        return CarriedStates(states, *copies)

    def get_config(self):
        own = ("snapshot_every", "iterate", "start_after", "snapshot_fraction")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    # ---- one step ----------------------------------------------------------------------------

    def locked_draws(self, x):
        """A minibatch's key and the (variable, value) pairs that fix what it draws."""
        return tf.constant(0, tf.int64), ()

    def train_step(self, data):
        if not self.is_stepping:
            raise InputError(
                f"train_step of {type(self).__name__} must not be called by itself: nothing would "
                "take the snapshots that its gradients need. Use fit, or "
                "set_full_gradient_data and train_on_batch"
            )
        logs = super().train_step(data)
        self._carried.remember()
        self.steps_since_snapshot.assign_add(1)
        if self.candidate:
            self._maybe_keep_candidate()
        return logs

    def _maybe_keep_candidate(self):
        """Reservoir sampling: keep the t-th iterate with probability 1/t."""
        uniform = tf.random.stateless_uniform(
            [], seed=tf.stack([tf.constant(self.seed, tf.int64), self.step_count.value])
        )
        keep = uniform * tf.cast(self.steps_since_snapshot.value, tf.float32) < 1.0
        for candidate, variable in zip(self.candidate, self.trainable_variables, strict=True):
            candidate.assign(tf.where(keep, variable.value, candidate.value))

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self._verbose = verbose
        self.snapshot_due, self.segment_ends_with_epoch = True, False
        #: Of the minibatches of the last snapshot, if those were all.
        self.snapshot_keys = None
        if not self.optimizer.built:
            # A loss scale is a variable from here on, and no constant of what is traced.
            self.optimizer.build(self.trainable_variables)
        # For another loss or optimizer Keras traces its step anew, and so is this.
        if self._traced_beside is not self.train_function:
            self._traced_beside = self.train_function
            self._full_gradient = FullGradient(
                self, self.full_gradient, self.center, self._carried, self.locked_draws
            )

    def check_setting(self):
        super().check_setting()
        if self.snapshot_fraction < 1 and stateful_variables(self.model):
            raise InputError(
                "snapshot_fraction must be 1: a stateful RNN carries its state from each batch to "
                "the next, so the gradients of some need the passes over all"
            )

    # ---- train_on_batch ----------------------------------------------------------------------

    def set_full_gradient_data(
        self, x, y=None, sample_weight=None, *, batch_size=None, class_weight=None
    ):
        """Say what the training data are, for ``train_on_batch``; ``fit`` knows by itself.

        The next ``train_on_batch`` begins anew, with a snapshot, and the others follow as in
        ``fit``: "epoch" are as many steps as the data have batches. After a ``fit`` as well.

        Args:
            x, y, sample_weight: all the training data: arrays, or as ``x`` alone a finite batched
                ``tf.data.Dataset``, a ``PyDataset`` or a tuple ``(x, y[, sample_weight])``.
            batch_size: samples per batch for arrays (default 32); that of ``train_on_batch``.
            class_weight: {class index: weight}, as given to ``train_on_batch``.

        Raises:
            ValueError: the data cannot be passed over again, or have no samples.
        """
        if isinstance(x, tuple) and y is None:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(x)
        self._given_batches = Batches(x, y, sample_weight, batch_size, class_weight)
        self._has_begun = False

    def _begin_by_hand(self):
        """Before the first step of ``train_on_batch``, which calls no callbacks."""
        if self._given_batches is None:
            raise InputError(
                f"{type(self).__name__} must know the training data before train_on_batch: its "
                "snapshots take the gradient of all of them. Call set_full_gradient_data(x, y, "
                "batch_size=...) first, or use fit"
            )
        self.batches, self._steps_per_epoch = self._given_batches, None
        self._length_is_known = True

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def before_step(self):
        if not self._has_begun:
            self._begin_by_hand()
        super().before_step()
        if not self.snapshot_due:
            return
        steps = self.steps_without_correction()
        if steps > 0 and not self.needs_full_gradient_always:
            self._begin_segment(steps)
        else:
            self.check_setting()
            self.taking_snapshot = True
            try:
                self.take_snapshot()
            finally:
                self.taking_snapshot = False
        # Not before: one that was broken off is due still.
        self.snapshot_due = False

    def steps_without_correction(self):
        """How many of the coming steps at least are those of plain training."""
        return self.start_after - int(self.step_count)

    def take_snapshot(self):
        """w̃ ← w and g̃ ← ∇f(w̃), an exact pass over the training data or a random part of it."""
        self.snapshot_count.assign_add(1)
        part, is_whole = self.batches, self.snapshot_fraction == 1
        if not is_whole:
            part = part.part(self.snapshot_fraction, [self.seed, int(self.snapshot_count)])
        samples, steps, keys = self._full_gradient.compute(part, self._verbose)
        self.snapshot_samples.assign_add(samples)
        self.snapshot_keys = keys if is_whole else None
        if is_whole:
            self.batches.sample_count = samples
        steps_per_epoch = self._steps_per_epoch or (steps if is_whole else self.batches.batch_count)
        step = int(self.step_count)
        length = steps_of_segment(
            self.snapshot_every, steps_per_epoch, self.seed, step, self.start_after
        )
        for center, variable in zip(self.center, self.trainable_variables, strict=True):
            center.assign(variable.value)
        is_epoch = self.snapshot_every == "epoch" and length == steps_per_epoch
        self._begin_segment(length, ends_with_epoch=is_epoch and not self._length_is_known)

    def _begin_segment(self, steps, ends_with_epoch=False):
        """Args: whether the segment is an epoch whose length only its end tells."""
        check_executions(steps, self.steps_per_execution)
        self.segment_length, self.segment_ends_with_epoch = steps, ends_with_epoch
        self.steps_since_snapshot.assign(0)

    def after_step(self):
        is_long = int(self.steps_since_snapshot) >= self.segment_length
        if is_long and not self.segment_ends_with_epoch:
            self._close_segment()

    def end_of_epoch(self):
        if self._has_begun and self.segment_ends_with_epoch and not self.snapshot_due:
            self._close_segment()

    def _close_segment(self):
        self.snapshot_due = True
        # The iterates of plain training before the first snapshot are none to choose from.
        if int(self.snapshot_count) > 0:
            self.end_segment()

    def end_segment(self):
        """w̃_{k+1}: the last iterate, which the model holds already, or the random one."""
        for candidate, variable in zip(self.candidate, self.trainable_variables, strict=False):
            variable.assign(candidate.value)

    # ---- logs --------------------------------------------------------------------------------

    def gradient_samples(self):
        return super().gradient_samples() + int(self.snapshot_samples)

    def diagnostics(self):
        norm = self._full_gradient.norm() if int(self.snapshot_count) else float("nan")
        return {**super().diagnostics(), "full_gradient_norm": norm}
