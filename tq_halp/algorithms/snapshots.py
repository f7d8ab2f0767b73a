"""Snapshots of the weights with their full gradients: what SVRG and HALP measure from.

In the notation of De Sa et al. (arXiv 1803.03383, Algorithm 1):

    w̃  `center`          the snapshot, w̃ ← w
    g̃  `full_gradient`   ∇f(w̃), over all training data or a random part of them
    T  `segment_length`  steps from this snapshot to the next: a segment

A trainer has one ``Snapshots`` at most, which its estimator and its iterate share.
"""

import tensorflow as tf

from tq_halp.algorithms.batches import size_of_part
from tq_halp.algorithms.full_gradient import FullGradient
from tq_halp.algorithms.part import Part, Zeros, like
from tq_halp.algorithms.rnn_states import RnnStates, stateful_variables
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule, check_executions
from tq_halp.algorithms.transform_locking import TransformLocking
from tq_halp.errors import InputError


class Snapshots(Part):
    """Takes snapshots by a schedule.

    Args:
        schedule: when, of which iterate, and from how many of the data.
    """

    numbers = {"snapshot_due": False, "segment_length": None, "segment_ends_with_epoch": False}

    def __init__(self, schedule: SnapshotSchedule):
        self.schedule = schedule
        #: Whether a full pass is under way, which can be broken off without loss.
        self.is_taking = False
        #: The keys of the minibatches of the last snapshot, where those were all.
        self.keys = None
        self._verbose, self._traced_beside = False, None

    def state(self):
        rnn_states = stateful_variables(self.trainer.model)
        return {
            "center": like(self.weights),
            "full_gradient": like(self.weights),
            "steps_since_snapshot": Zeros(),
            "snapshot_count": Zeros(),
            "snapshot_samples": Zeros(),
            "candidate": like(self.weights) if self.schedule.of == "random" else [],
            "anchor_state": like(rnn_states),
            "seen_state": like(rnn_states),
        }

    def on_built(self) -> None:
        """The variables of ``state`` are there."""
        model = self.trainer.model
        states = stateful_variables(model)
        self.rnn_states = RnnStates(states, self.anchor_state, self.seen_state) if states else None
        self.locking = TransformLocking(model)

    # ---- one step ----------------------------------------------------------------------------

    def locked_draws(self, x) -> tuple[tf.Tensor, list]:
        """A minibatch's key, and the (variable, value) pairs that fix what a pass over it draws."""
        return self.locking.of(x, self.snapshot_count.value, self.trainer.seed)

    def after_update(self) -> None:
        """Traced at the end of a step."""
        if self.rnn_states is not None:
            self.rnn_states.remember()
        self.steps_since_snapshot.assign_add(1)
        if self.candidate:
            self._maybe_keep_candidate()

    def _maybe_keep_candidate(self):
        """Reservoir sampling: keep the t-th iterate with probability 1/t."""
        trainer = self.trainer
        uniform = tf.random.stateless_uniform(
            [], seed=tf.stack([tf.constant(trainer.seed, tf.int64), trainer.step_count.value])
        )
        keep = uniform * tf.cast(self.steps_since_snapshot.value, tf.float32) < 1.0
        for candidate, variable in zip(self.candidate, self.weights, strict=True):
            candidate.assign(tf.where(keep, variable.value, candidate.value))

    # ---- before training ---------------------------------------------------------------------

    def check_setting(self) -> None:
        if self.schedule.fraction < 1 and stateful_variables(self.trainer.model):
            raise InputError(
                "snapshot_fraction must be 1: a stateful RNN carries its state from each batch to "
                "the next, so the gradients of some need the passes over all"
            )

    def check_order(self) -> None:
        """InputError if shuffled samples would come to places where an RNN's states are others'."""
        if stateful_variables(self.trainer.model):
            raise InputError(
                "shuffle must be False: a stateful RNN carries its state from each sample to the "
                "one in the same place of the next batch"
            )

    def begin(self, verbose: bool) -> None:
        """Training begins, with a snapshot; ``verbose``: with a progress bar."""
        trainer = self.trainer
        self._verbose, self.keys = verbose, None
        self.snapshot_due, self.segment_ends_with_epoch = True, False
        if not trainer.optimizer.built:
            # A loss scale is a variable from here on, and no constant of what is traced.
            trainer.optimizer.build(self.weights)
        # For another loss or optimizer Keras traces its step anew, and so is this.
        if self._traced_beside is not trainer.train_function:
            self._traced_beside = trainer.train_function
            states = self.rnn_states or RnnStates([], [], [])
            self.exact_gradient = FullGradient(
                trainer, self.full_gradient, self.center, states, self.locked_draws
            )

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def before_step(self) -> None:
        if not self.snapshot_due:
            return
        trainer = self.trainer
        steps = trainer.estimator.steps_without_snapshot()
        if steps > 0 and not trainer.iterate.needs_snapshots:
            self._begin_segment(steps)
        else:
            trainer.loop.check_setting()
            self.is_taking = True
            try:
                self.take()
            finally:
                self.is_taking = False
        # Not before: one that was broken off is due still.
        self.snapshot_due = False

    def take(self) -> None:
        """w̃ ← w and g̃ ← ∇f(w̃), an exact pass over the training data or a random part of it."""
        trainer, data = self.trainer, self.trainer.fit_data
        batches = data.batches
        self.snapshot_count.assign_add(1)
        part, is_whole = batches, self.schedule.fraction == 1
        if not is_whole:
            part = part.part(self.schedule.fraction, [trainer.seed, int(self.snapshot_count)])
        samples, steps, keys = self.exact_gradient.compute(part, self._verbose)
        self.snapshot_samples.assign_add(samples)
        self.keys = keys if is_whole else None
        if is_whole:
            batches.sample_count = samples
        steps_per_epoch = data.steps_per_epoch or (steps if is_whole else batches.batch_count)
        length = self.schedule.steps_from(int(trainer.step_count), steps_per_epoch, trainer.seed)
        for center, variable in zip(self.center, self.weights, strict=True):
            center.assign(variable.value)
        is_epoch = self.schedule.every == "epoch" and length == steps_per_epoch
        self._begin_segment(length, ends_with_epoch=is_epoch and not data.length_is_known)
        trainer.estimator.on_snapshot()
        trainer.iterate.on_snapshot()

    def _begin_segment(self, steps, ends_with_epoch=False):
        """Args: whether the segment is an epoch whose length only its end tells."""
        check_executions(steps, self.trainer.steps_per_execution)
        self.segment_length, self.segment_ends_with_epoch = steps, ends_with_epoch
        self.steps_since_snapshot.assign(0)

    def after_step(self) -> None:
        is_long = int(self.steps_since_snapshot) >= self.segment_length
        if is_long and not self.segment_ends_with_epoch:
            self._close_segment()

    def on_epoch_end(self) -> None:
        if (
            self.trainer.fit_data.has_begun
            and self.segment_ends_with_epoch
            and not self.snapshot_due
        ):
            self._close_segment()

    def _close_segment(self):
        self.snapshot_due = True
        # The iterates of plain training before the first snapshot are none to choose from.
        if int(self.snapshot_count) > 0:
            # w̃_{k+1}: the last iterate, which the model holds already, or the random one.
            for candidate, variable in zip(self.candidate, self.weights, strict=False):
                variable.assign(candidate.value)
            self.trainer.iterate.on_segment_end()

    # ---- cost and logs -----------------------------------------------------------------------

    def gradients_of(self, steps: int, steps_per_epoch: int) -> float:
        """Minibatch gradients that the snapshots of a run's first ``steps`` steps take.

        With random snapshots, their expected number.
        """
        plain = self.trainer.estimator.plain_steps_of(steps)
        found = self.schedule.count_in(steps - plain, steps_per_epoch)
        if self.trainer.iterate.needs_snapshots:
            found += self.schedule.count_in(plain, steps_per_epoch)
        return found * size_of_part(self.schedule.fraction, steps_per_epoch)

    def diagnostics(self) -> dict[str, float]:
        norm = self.exact_gradient.norm() if int(self.snapshot_count) else float("nan")
        return {"full_gradient_norm": norm}
