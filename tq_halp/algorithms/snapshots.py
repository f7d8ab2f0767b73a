"""``Snapshots``: takes the snapshots of the weights, and their full gradients, for SVRG and HALP.

In the notation of De Sa et al. (arXiv 1803.03383, Algorithm 1):

    w̃  `center`          the snapshot, w̃ ← w
    g̃  `full_gradient`   ∇f(w̃), over all training data or a random part of them
    T  `segment_length`  the number of steps from this snapshot to the next

g̃ costs a pass over the data. It costs nothing where the estimator knows the mean of gradients, as
a gradient table does, and is left out where neither estimator nor iterate needs it.

The steps between two snapshots are called a segment (an "epoch" or "outer iteration" of the
papers). A trainer has at most one ``Snapshots``; its estimator and its iterate share it.
"""

from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Part, Zeros, like
from tq_halp.algorithms.batches import size_of_part
from tq_halp.algorithms.full_gradient import FullGradient
from tq_halp.algorithms.rnn_states import RnnStates, check_order, stateful_variables
from tq_halp.algorithms.snapshot_schedule import FOREVER, SnapshotSchedule, check_executions
from tq_halp.algorithms.transform_locking import TransformLocking
from tq_halp.errors import InputError


class Snapshots(Part):
    """Takes snapshots according to a schedule.

    Args:
        schedule: when to take them, of which iterate, and from which share of the data.

    Attributes:
        center: w̃, one variable for each trainable variable.
        full_gradient: g̃, likewise; empty if there is none.
        candidate: with ``schedule.of == "random"``, the iterate drawn so far for the next w̃, one
            variable for each trainable variable; else empty.
        steps_since_snapshot, snapshot_count: int64 scalars.
        snapshot_samples: number of samples in all full gradients so far, an int64 scalar.
        anchor_state, seen_state: see ``RnnStates``.
        snapshot_due: whether the next step begins with a snapshot.
        segment_length: T.
        segment_ends_with_epoch: whether the segment is an epoch of a length that is known only at
            its end.
        takes_pass: whether g̃ is computed by a pass over the data.
        gradient_is_known: whether ``full_gradient`` holds a gradient.
        is_taking: whether a full gradient is being computed; interrupting it loses no training.
        keys: ``key_of`` the minibatches in the last g̃; None if g̃ is from a part of the data.
    """

    numbers = {
        "snapshot_due": False,
        "segment_length": None,
        "segment_ends_with_epoch": False,
        "gradient_is_known": False,
    }
    snapshot_due: bool
    gradient_is_known: bool
    segment_length: int
    segment_ends_with_epoch: bool

    center: list[keras.Variable]
    full_gradient: list[keras.Variable]
    candidate: list[keras.Variable]
    steps_since_snapshot: keras.Variable
    snapshot_count: keras.Variable
    snapshot_samples: keras.Variable
    anchor_state: list[keras.Variable]
    seen_state: list[keras.Variable]

    def __init__(self, schedule: SnapshotSchedule):
        self.schedule = schedule
        self.is_taking = False
        self.keys: set[int] | None = None
        self._verbose = False
        self._train_function: Any = None

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self.snapshots = self
        estimator, iterate = trainer.estimator, trainer.iterate
        self.has_gradient = estimator.needs_full_gradient or iterate.needs_full_gradient
        self.takes_pass = self.has_gradient and not estimator.gives_mean_gradient

    def state(self) -> dict[str, Any]:
        rnn_states = stateful_variables(self.trainer.model)
        return {
            "center": like(self.weights),
            "full_gradient": like(self.weights) if self.has_gradient else [],
            "steps_since_snapshot": Zeros(),
            "snapshot_count": Zeros(),
            "snapshot_samples": Zeros(),
            "candidate": like(self.weights) if self.schedule.of == "random" else [],
            "anchor_state": like(rnn_states),
            "seen_state": like(rnn_states),
        }

    def on_built(self) -> None:
        model = self.trainer.model
        states = stateful_variables(model)
        self.rnn_states = RnnStates(states, self.anchor_state, self.seen_state) if states else None
        self.locking = TransformLocking(model)
        self.model_draws, self.model_augments = bool(self.locking), self.locking.of_augmentation

    # ---- one step ----------------------------------------------------------------------------

    def locked_draws(self, x: Any) -> tuple[tf.Tensor, list[tuple[keras.Variable, tf.Tensor]]]:
        """The key of a minibatch, and the values of the seed states for a pass over it.

        See ``TransformLocking.of``; a model that draws nothing has the key 0.
        """
        if not self.model_draws:
            return tf.constant(0, tf.int64), []
        return self.locking.of(x, self.snapshot_count.value, self.trainer.seed)

    def after_update(self) -> None:
        """Called at the end of a step; traced."""
        if self.rnn_states is not None:
            self.rnn_states.remember()
        self.steps_since_snapshot.assign_add(1)
        if self.candidate:
            self._maybe_keep_candidate()

    def _maybe_keep_candidate(self) -> None:
        """Reservoir sampling: the iterate after step t becomes the candidate with probability 1/t.

        After T steps each of their iterates is the candidate with probability 1/T.
        """
        trainer = self.trainer
        uniform = tf.random.stateless_uniform(
            [], seed=tf.stack([tf.constant(trainer.seed, tf.int64), trainer.step_count.value])
        )
        keep = uniform * tf.cast(self.steps_since_snapshot.value, tf.float32) < 1.0
        for candidate, variable in zip(self.candidate, self.weights, strict=True):
            candidate.assign(tf.where(keep, variable.value, candidate.value))

    # ---- before training ---------------------------------------------------------------------

    def check_setting(self) -> None:
        if (
            self.takes_pass
            and self.schedule.fraction < 1
            and stateful_variables(self.trainer.model)
        ):
            raise InputError(
                "snapshot_fraction must be 1: a stateful RNN carries its state from each batch to "
                "the next, so the gradients of some need the passes over all"
            )

    def wants_data_for(self) -> str | None:
        if self.takes_pass:
            return "its snapshots take the gradient of all of them"
        return "it takes a snapshot every epoch" if self.schedule.every == "epoch" else None

    def check_order(self) -> None:
        if self.takes_pass:
            check_order(self.trainer.model)

    def begin(self, verbose: bool) -> None:
        """Called when training begins: its first step begins with a snapshot.

        Args:
            verbose: whether full gradients show a progress bar.
        """
        trainer = self.trainer
        self._verbose, self.keys = verbose, None
        self.snapshot_due, self.segment_ends_with_epoch = True, False
        if not trainer.optimizer.built:
            # Before it is built its loss scale is a constant, which would be traced as one.
            trainer.optimizer.build(self.weights)
        # After another compile the loss or the optimizer may differ from those traced here.
        if self.takes_pass and self._train_function is not trainer.train_function:
            self._train_function = trainer.train_function
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
        # Only now: a snapshot that was interrupted is still due.
        self.snapshot_due = False

    def take(self) -> None:
        """w̃ ← w and g̃ ← ∇f(w̃), or what is known of it; begins a segment."""
        trainer, data = self.trainer, self.trainer.fit_data
        self.snapshot_count.assign_add(1)
        if self.takes_pass:
            steps_per_epoch = self._take_full_gradient()
        else:
            self.take_mean_gradient()
            steps_per_epoch = data.steps_in_epoch()
        is_epoch, length = self.schedule.every == "epoch", FOREVER * trainer.steps_per_execution
        if steps_per_epoch is not None or not is_epoch:
            step = int(trainer.step_count)
            length = self.schedule.steps_from(step, steps_per_epoch or length, trainer.seed)
            is_epoch = is_epoch and length == steps_per_epoch
        for center, variable in zip(self.center, self.weights, strict=True):
            center.assign(variable.value)
        self._begin_segment(length, ends_with_epoch=is_epoch and not data.length_is_known)
        trainer.estimator.on_snapshot()
        trainer.iterate.on_snapshot()

    def _take_full_gradient(self) -> int:
        """g̃ ← ∇f(w), over the training data or a random part; returns the steps in an epoch."""
        trainer, data = self.trainer, self.trainer.fit_data
        # With a pass the data can be read again.
        batches: Any = data.batches
        part, is_whole = batches, self.schedule.fraction == 1
        if not is_whole:
            part = batches.part(self.schedule.fraction, [trainer.seed, int(self.snapshot_count)])
        samples, steps, keys = self.exact_gradient.compute(part, self._verbose)
        self.snapshot_samples.assign_add(samples)
        self.keys, self.gradient_is_known = keys if is_whole else None, True
        if is_whole:
            batches.sample_count = samples
        return data.steps_per_epoch or (steps if is_whole else batches.batch_count)

    def take_mean_gradient(self) -> None:
        """g̃ ← the mean of gradients that the estimator knows, if it knows one."""
        known = self.trainer.estimator.mean_gradient() if self.has_gradient else None
        self.gradient_is_known = known is not None
        for variable, value in zip(self.full_gradient, known or (), strict=False):
            variable.assign(value)

    def _begin_segment(self, steps: int, ends_with_epoch: bool = False) -> None:
        check_executions(steps, self.trainer.steps_per_execution)
        self.segment_length, self.segment_ends_with_epoch = steps, ends_with_epoch
        self.steps_since_snapshot.assign(0)

    def after_step(self) -> None:
        is_over = int(self.steps_since_snapshot) >= self.segment_length
        if is_over and not self.segment_ends_with_epoch:
            self._end_segment()

    def on_epoch_end(self) -> None:
        if (
            self.trainer.fit_data.has_begun
            and self.segment_ends_with_epoch
            and not self.snapshot_due
        ):
            self._end_segment()

    def _end_segment(self) -> None:
        self.snapshot_due = True
        # Before the first snapshot the steps were those of plain training, not of a segment.
        if int(self.snapshot_count) > 0:
            # w̃_{k+1} is the last iterate, which the weights hold already, or the random one.
            for candidate, variable in zip(self.candidate, self.weights, strict=False):
                variable.assign(candidate.value)
            self.trainer.iterate.on_segment_end()

    # ---- cost and logs -----------------------------------------------------------------------

    def gradients_of(self, steps: int, steps_per_epoch: int) -> float:
        """Number of minibatch gradients in the snapshots of a run's first ``steps`` steps.

        If snapshots are taken at random, the expected number.
        """
        if not self.takes_pass:
            return 0.0
        plain = self.trainer.estimator.plain_steps_of(steps)
        found = self.schedule.count_in(steps - plain, steps_per_epoch)
        if self.trainer.iterate.needs_snapshots:
            found += self.schedule.count_in(plain, steps_per_epoch)
        return found * size_of_part(self.schedule.fraction, steps_per_epoch)

    def diagnostics(self) -> dict[str, float]:
        if not self.takes_pass:
            return {}
        norm = self.exact_gradient.norm() if int(self.snapshot_count) else float("nan")
        return {"full_gradient_norm": norm}
