"""``VarianceReduced``: the gradient estimator of SVRG.

Johnson & Zhang, *Accelerating Stochastic Gradient Descent using Predictive Variance Reduction*,
NIPS 2013, with the snapshot w̃ and its full gradient g̃ = ∇f(w̃) (``snapshots``):

    v_t = (∇f_i(w_{t−1}) − ∇f_i(w̃)) + g̃

The bracket is evaluated first. At w = w̃ its two gradients are the same computation on the same
numbers, so they cancel exactly: the first step after a snapshot uses g̃ itself. With a
``coefficient`` a the estimate is v_t = (∇f_i(w_{t−1}) − a ∇f_i(w̃)) + a g̃.
"""

from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Batch, Estimator, Step, Zeros
from tq_halp.algorithms.checks import check_one_of
from tq_halp.algorithms.estimators import correction_coefficient as coefficients
from tq_halp.algorithms.estimators.variance_ratio import (
    EPOCHS_WITHOUT_GAIN,
    variance_ratio,
    warn_of_no_gain,
)
from tq_halp.algorithms.minibatch_gradient import (
    Gradient,
    after,
    batch_size_of,
    corrected,
    dense,
    gradients_at,
    loss_scale,
)
from tq_halp.algorithms.snapshot_schedule import FOREVER, SnapshotSchedule
from tq_halp.errors import InputError


@keras.saving.register_keras_serializable(package="tq_halp")
class VarianceReduced(Estimator):
    """v = (∇f_i(w) − a ∇f_i(w̃)) + a g̃: two minibatch gradients a step, one full per snapshot.

    Args:
        snapshot_every: "epoch"; or T, the number of steps between snapshots (any int from 1; it
            need not divide the epoch); or p, a float below 1, the probability that a snapshot
            follows a step (loopless SVRG, Kovalev et al., arXiv 1901.08689).
        coefficient: a, how much of the correction a step takes: a number from 0 to 1; a Keras
            ``LearningRateSchedule`` of the number of steps; or "estimated", an estimate of the best
            a for each variable (α-SVRG, Yin et al., arXiv 2311.05589; see ``Coefficient``). A step
            with a = 0 costs one gradient instead of two, and draws at random as plain training
            does. With the number 0 there are no snapshots either.
        start_after: S. In the first S steps a = 0. The first snapshot comes after them.
        snapshot_fraction: the share of the minibatches from which g̃ is computed, drawn anew for
            each snapshot (Babanezhad et al., *Stop Wasting My Gradients*, arXiv 1511.01942). The
            mean of the correction is then the error of g̃ instead of zero.
        draws: "locked": between two snapshots a minibatch always gets the same random draws
            (dropout masks, noise, augmentation, stochastic rounding), in the full gradient and in
            both gradients of a step (transform locking, Defazio & Bottou, arXiv 1812.04529). If the
            model draws at random, ``fit`` shuffles arrays once, and whole minibatches from then on.
            "fresh": each step draws anew, the same for its two gradients. The mean of the
            correction is then zero only on average over the draws.
        iterate: which iterate the next snapshot is taken of: the "last" (option I), or a uniformly
            "random" one since the last snapshot (option II, which the theorems assume). With
            "random" the weights are set to it at the end of the T steps.
        variance_ratio: whether the logs of an epoch hold ``variance_ratio``; if so, a training that
            variance reduction has not helped ends with a warning. It costs six minibatch gradients
            for every 100 minibatches of the data, at least 6 and at most 24 in an epoch, which
            ``gradient_evaluations`` does not count.

    Raises:
        InputError: an argument is not one of the above. In ``fit``: the training data can be read
            only once (see ``full_gradient_data`` there); a model with stateful RNNs gets shuffled
            samples; a model with locked augmentation gets other minibatches than the full gradient;
            ``snapshot_fraction`` is below 1 for data of unknown length or for stateful RNNs.
    """

    numbers = {"epochs_without_gain": 0}
    epochs_without_gain: int

    batch_key: keras.Variable
    anchor_samples: keras.Variable
    covariance: keras.Variable
    variance: keras.Variable

    def __init__(
        self,
        snapshot_every: str | int | float = "epoch",
        coefficient: float | str | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        start_after: int = 0,
        snapshot_fraction: float = 1.0,
        draws: str = "locked",
        iterate: str = "last",
        variance_ratio: bool = True,
    ):
        self._schedule = SnapshotSchedule(snapshot_every, iterate, snapshot_fraction, start_after)
        check_one_of("variance_ratio", variance_ratio, (True, False))
        check_one_of("draws", draws, ("locked", "fresh"))
        self.snapshot_every, self.iterate, self.start_after = snapshot_every, iterate, start_after
        self.snapshot_fraction, self.draws = float(snapshot_fraction), draws
        self.coefficient, self.variance_ratio = coefficients.checked(coefficient), variance_ratio

    def snapshot_schedule(self) -> SnapshotSchedule:
        return self._schedule

    def state(self) -> dict[str, Any]:
        own = {"batch_key": Zeros(), "anchor_samples": Zeros()}
        return own | coefficients.state_of(self.coefficient, len(self.weights))

    def on_built(self) -> None:
        self._coefficient = coefficients.coefficient_of(self, self.start_after)
        #: Whether a = 1 in every step, as in plain SVRG.
        self._is_plain = self.coefficient == 1.0 and not self.start_after

    # ---- one step ----------------------------------------------------------------------------

    def gradient(self, batch: Batch) -> Step:
        if self.coefficient == 0.0:
            return self.trainer.minibatch_gradient(batch)
        anchor = self.anchor_gradients(batch)
        step = self.trainer.minibatch_gradient(batch._replace(x=after(anchor, batch.x)))
        return step._replace(gradients=self._reduced(step.gradients, anchor))

    def anchor_gradients(self, batch: Batch) -> list[Gradient]:
        """∇f_i(w̃), one for each trainable variable; zeros in a step with a = 0."""
        snapshots, trainer = self.snapshots, self.trainer
        skip = False if self._is_plain else self._coefficient.is_zero(trainer.step_count.value)
        if snapshots.rnn_states is not None:
            snapshots.rnn_states.follow()
        if self.draws == "locked":
            key, draws = snapshots.locked_draws(batch.x)
            self.batch_key.assign(key)
            for variable, value in draws:
                variable.assign(value if skip is False else tf.where(skip, variable.value, value))
        values = [variable.value for variable in snapshots.center]
        states = snapshots.rnn_states.mapping() if snapshots.rnn_states is not None else []

        def computed() -> tuple[list[Gradient], list[tf.Tensor]]:
            return gradients_at(trainer, values, *batch, states=states)

        def computed_dense() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            gradients, states_after = computed()
            gradients = [dense(g, value) for g, value in zip(gradients, values, strict=True)]
            return gradients, states_after

        def zeros() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            return [tf.zeros_like(value) for value in values], [value for _, value in states]

        gradients, states_after = (
            computed() if skip is False else tf.cond(skip, zeros, computed_dense)
        )
        if snapshots.rnn_states is not None:
            snapshots.rnn_states.carry(states_after)
        count = tf.cast(batch_size_of(batch.x), "int64")
        self.anchor_samples.assign_add(tf.where(skip, tf.zeros_like(count), count))
        return gradients

    def _reduced(
        self, gradients: list[Gradient], anchor_gradients: list[Gradient]
    ) -> list[Gradient]:
        scale = loss_scale(self.trainer.optimizer)
        full_gradient = [
            g.value if scale is None else g.value * tf.cast(scale, g.dtype)
            for g in self.snapshots.full_gradient
        ]
        tensors = list(zip(gradients, anchor_gradients, full_gradient, strict=True))
        shares: list[tf.Tensor | None] = [None] * len(tensors)
        if not self._is_plain:
            shares = self._coefficient.of(self.trainer.step_count.value, len(tensors))
            self._coefficient.observe(tensors, scale)
        return [
            None if tensor[0] is None else corrected(*tensor, share)
            for tensor, share in zip(tensors, shares, strict=True)
        ]

    # ---- batches that stay together ----------------------------------------------------------

    def keeps_batches(self, x: Any) -> bool:
        is_locked = self.draws == "locked" and not self._coefficient.is_always_zero
        return is_locked and self.snapshots.locking.are_made(x)

    def after_step(self) -> None:
        if self.draws == "locked" and self.snapshots.model_augments:
            self._check_batch()

    def _check_batch(self) -> None:
        is_plain = self._coefficient.is_zero(int(self.trainer.step_count) - 1)
        if self.snapshots.keys is None or is_plain:
            return
        if int(self.batch_key) not in self.snapshots.keys:
            raise InputError(
                "The model augments its inputs at random, and this batch was not among those of "
                "the full gradient: what is drawn for its samples cannot be the same in both. "
                "Batch the data before shuffling it (ds.batch(32).shuffle(n)), keep random "
                "transformations in the model and out of the data set, or set draws='fresh'."
            )

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def on_fit_begin(self) -> None:
        self.epochs_without_gain = 0

    def steps_without_snapshot(self) -> int:
        if self._coefficient.is_always_zero:
            return FOREVER * self.trainer.steps_per_execution
        return self.start_after - int(self.trainer.step_count)

    def on_snapshot(self) -> None:
        self._coefficient.reset()

    def on_fit_end(self) -> None:
        if self.epochs_without_gain >= EPOCHS_WITHOUT_GAIN:
            warn_of_no_gain(type(self.trainer).__name__)

    # ---- cost and logs -----------------------------------------------------------------------

    def further_samples(self) -> int:
        return int(self.anchor_samples)

    def plain_steps_of(self, steps: int) -> int:
        return steps if self.coefficient == 0.0 else min(self.start_after, steps)

    def gradients_of(self, steps: int) -> float:
        return 2 * steps - self.plain_steps_of(steps)

    def diagnostics(self) -> dict[str, float]:
        if not self.variance_ratio:
            return {}
        last_step, snapshots = self.trainer.step_count.value - 1, self.snapshots
        shares = self._coefficient.of(last_step, len(self.weights))
        # With snapshots the data can be read again.
        batches: Any = self.trainer.fit_data.batches
        ratio = variance_ratio(
            snapshots.exact_gradient,
            batches,
            self.weights,
            snapshots.center,
            [1.0 if share is None else float(share) for share in shares],
        )
        self.epochs_without_gain = self.epochs_without_gain + 1 if ratio >= 1 else 0
        return {"variance_ratio": ratio}
