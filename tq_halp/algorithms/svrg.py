"""SVRG: variance-reduced gradients around a snapshot of the weights.

Johnson & Zhang, *Accelerating Stochastic Gradient Descent using Predictive Variance Reduction*,
NIPS 2013; in the notation of De Sa et al. (arXiv 1803.03383, Algorithm 1):

    w̃  `center`         the snapshot            g̃ = ∇f(w̃)  `full_gradient`
    T  `segment_length`  steps between snapshots

    v_t = (∇f_i(w_{t−1}) − ∇f_i(w̃)) + g̃

The bracket is evaluated first: at w = w̃ the two gradients are the same computation on the same
numbers, they cancel exactly, and the first step after a snapshot is the full gradient itself.
"""

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.fixed_grid import FixedGridMixin
from tq_halp.algorithms.full_gradient import FullGradient
from tq_halp.algorithms.gradient import dense, gradients_at
from tq_halp.algorithms.sgd import SGD


@keras.saving.register_keras_serializable(package="tq_halp")
class SVRG(SGD):
    """Stochastic variance-reduced gradient training around any Keras model.

    Args:
        model: any Keras model.
        snapshot_every: "epoch", or the number of steps T between snapshots (any T >= 1; it need
            not divide the epoch).
        iterate: the next snapshot is taken at the "last" iterate (option I) or at a uniformly
            "random" one of the steps since the previous snapshot (option II, what the theorems
            assume). With "random" the weights are set to it when the T steps are over.
        seed: key of every random draw.

    Raises:
        ValueError: an argument is not one of the above; the training data cannot be passed over
            again (see ``fit``'s ``full_gradient_data``).
    """

    needs_full_gradient = True
    host_state = (*SGD.host_state, "snapshot_due", "segment_length")

    def __init__(self, model, *, snapshot_every="epoch", iterate="last", **kwargs):
        is_count = isinstance(snapshot_every, int) and not isinstance(snapshot_every, bool)
        if snapshot_every != "epoch" and not (is_count and snapshot_every >= 1):
            raise ValueError(
                "snapshot_every must be 'epoch' or a positive number of steps. "
                f"Received: {snapshot_every!r}"
            )
        if iterate not in ("last", "random"):
            raise ValueError(f"iterate must be 'last' or 'random'. Received: {iterate!r}")
        self.snapshot_every, self.iterate = snapshot_every, iterate
        super().__init__(model, **kwargs)

    def create_state(self):
        super().create_state()
        self.center = self._like_weights("center")
        self.full_gradient = self._like_weights("full_gradient")
        self.steps_since_snapshot = self._counter("steps_since_snapshot")
        self.snapshot_count = self._counter("snapshot_count")
        self.candidate = self._like_weights("candidate") if self.iterate == "random" else []

    def get_config(self):
        own = {"snapshot_every": self.snapshot_every, "iterate": self.iterate}
        return {**super().get_config(), **own}

    # ---- one step ----------------------------------------------------------------------------

    def anchor_gradients(self, x, y, sample_weight):
        values = [variable.value for variable in self.center]
        return gradients_at(self, values, x, y, sample_weight)

    def reduce_variance(self, gradients, anchor_gradients):
        return [
            None if gradient is None else (dense(gradient, anchor) - anchor) + full.value
            for gradient, anchor, full in zip(
                gradients, anchor_gradients, self.full_gradient, strict=True
            )
        ]

    def train_step(self, data):
        logs = super().train_step(data)
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

    # ---- outer iterations --------------------------------------------------------------------

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self._verbose = verbose
        self.snapshot_due = True
        self._full_gradient = FullGradient(self, self.full_gradient)
        self.check_fit()

    def check_fit(self):
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                f"{type(self).__name__} cannot be used with a LossScaleOptimizer (the full "
                "gradient is not scaled); compile with auto_scale_loss=False or another dtype "
                "policy."
            )

    def before_step(self):
        if self.snapshot_due:
            self.snapshot_due = False
            self.taking_snapshot = True
            try:
                self.take_snapshot()
            finally:
                self.taking_snapshot = False

    def take_snapshot(self):
        """w̃ ← w and g̃ ← ∇f(w̃), an exact pass over the training data."""
        samples, steps = self._full_gradient.compute(self.batches, verbose=self._verbose)
        self._check_finite()
        self.batches.sample_count = samples
        self.segment_length = self._steps_per_segment(steps)
        for center, variable in zip(self.center, self.trainable_variables, strict=True):
            center.assign(variable.value)
        self.steps_since_snapshot.assign(0)
        self.snapshot_count.assign_add(1)

    def _check_finite(self):
        norm = self._full_gradient_norm()
        if not np.isfinite(norm):
            raise FloatingPointError(
                f"The full gradient's norm is {norm} after step {int(self.step_count)}: training "
                "has diverged. Lower the learning rate, clip the gradient (global_clipnorm), or "
                "use more bits."
            )

    def _full_gradient_norm(self):
        return float(tf.linalg.global_norm([g.value for g in self.full_gradient]))

    def _steps_per_segment(self, steps_per_pass):
        steps = self._steps_per_epoch or steps_per_pass
        if self.snapshot_every != "epoch":
            steps = self.snapshot_every
        if steps % self.steps_per_execution:
            raise ValueError(
                f"A snapshot every {steps} steps cannot be taken with steps_per_execution="
                f"{self.steps_per_execution}: it must divide {steps}, e.g. 1."
            )
        return steps

    def after_step(self):
        if int(self.steps_since_snapshot) >= self.segment_length:
            self.snapshot_due = True
            self.end_segment()

    def end_segment(self):
        """w̃_{k+1}: the last iterate, which the model holds already, or the random one."""
        for candidate, variable in zip(self.candidate, self.trainable_variables, strict=False):
            variable.assign(candidate.value)

    # ---- logs --------------------------------------------------------------------------------

    def gradient_evaluations(self):
        """A step costs two minibatch gradients, a snapshot one pass."""
        passes = 2.0 * float(self.sample_count) / self._samples_per_pass()
        return passes + float(self.snapshot_count)

    def diagnostics(self):
        return {**super().diagnostics(), "full_gradient_norm": self._full_gradient_norm()}


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSVRG(FixedGridMixin, SVRG):
    """LP-SVRG: SVRG whose iterate lives on a fixed grid, w ← Q_(δ,b)(w − α v).

    It converges linearly, but only to a ball of radius O(δ): E[f(w̃) − f*] is bounded by
    2dδ²L/(γ(1−γ)) (De Sa et al., arXiv 1803.03383, Theorem 1).

    Args:
        model: any Keras model.
        format: of the weights; one that does not move, its name or its mapping.
        snapshot_every, iterate, seed: as for ``SVRG``.
        rounding: of the update; default "stochastic".
    """
