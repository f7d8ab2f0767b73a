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

from tq_halp.algorithms.batches import Batches
from tq_halp.algorithms.carried import CarriedStates, stateful_variables
from tq_halp.algorithms.draws import Draws, key_of
from tq_halp.algorithms.full_gradient import FullGradient
from tq_halp.algorithms.gradient import corrected, gradients_at, loss_scale
from tq_halp.algorithms.interval import check_interval, steps_of_segment
from tq_halp.algorithms.sgd import SGD
from tq_halp.algorithms.variance import EPOCHS_WITHOUT_GAIN, variance_ratio, warn_of_no_gain
from tq_halp.errors import InputError


@keras.saving.register_keras_serializable(package="tq_halp")
class SVRG(SGD):
    """Stochastic variance-reduced gradient training around any Keras model.

    Args:
        model: any Keras model.
        snapshot_every: "epoch", or the number of steps T between snapshots (any T >= 1; it need
            not divide the epoch), or the probability, a float below 1, with which each step is
            followed by one (loopless SVRG, Kovalev et al., arXiv 1901.08689).
        iterate: the next snapshot is taken at the "last" iterate (option I) or at a uniformly
            "random" one of the steps since the previous snapshot (option II, what the theorems
            assume). With "random" the weights are set to it when the T steps are over.
        draws: with "locked" what the model draws (dropout masks, noise, augmentation, stochastic
            rounding) stays the same for a minibatch from one snapshot to the next, in its pass and
            in both gradients of a step. ``fit`` therefore shuffles arrays once and then whole
            batches, if the model draws. With "fresh" each step draws anew, the same for its two
            gradients, and the correction has mean zero only over the draws.
        seed: key of every random draw.

    Raises:
        ValueError: an argument is not one of the above; the training data cannot be passed over
            again (see ``fit``'s ``full_gradient_data``); samples are shuffled where a stateful RNN
            carries states, or come in other batches where augmentation is locked.
    """

    needs_full_gradient = True
    host_state = (
        *SGD.host_state,
        "snapshot_due",
        "segment_length",
        "_ratio_before_loss",
        "_epochs_of_loss",
    )

    def __init__(self, model, *, snapshot_every="epoch", iterate="last", draws="locked", **kwargs):
        check_interval(snapshot_every)
        if iterate not in ("last", "random"):
            raise ValueError(f"iterate must be 'last' or 'random'. Received: {iterate!r}")
        if draws not in ("locked", "fresh"):
            raise ValueError(f"draws must be 'locked' or 'fresh'. Received: {draws!r}")
        self.snapshot_every, self.iterate, self.draws = snapshot_every, iterate, draws
        super().__init__(model, **kwargs)

    def create_state(self):
        super().create_state()
        self.center = self._like_weights("center")
        self.full_gradient = self._like_weights("full_gradient")
        self.steps_since_snapshot = self._counter("steps_since_snapshot")
        self.snapshot_count = self._counter("snapshot_count")
        self.candidate = self._like_weights("candidate") if self.iterate == "random" else []
        self.batch_key = self._counter("batch_key")
        self._draws = Draws(self.model)
        self._carried = self._carry_states()
        self._epochs_without_gain = 0
        self._traced_beside = None
        self._trained = [id(variable) for variable in self.trainable_variables]

    def _carry_states(self):
        states = stateful_variables(self.model)
        copies = [
            [
                self.add_weight(
                    shape=s.shape, initializer="zeros", dtype=s.dtype, trainable=False, name=name
                )
                for s in states
            ]
            for name in ("anchor_state", "seen_state")
        ]
        return CarriedStates(states, *copies)

    def get_config(self):
        own = {"snapshot_every": self.snapshot_every, "iterate": self.iterate, "draws": self.draws}
        return {**super().get_config(), **own}

    # ---- one step ----------------------------------------------------------------------------

    def anchor_gradients(self, x, y, sample_weight):
        self._carried.follow()
        if self.draws == "locked":
            key, draws = self._locked_draws(x)
            self.batch_key.assign(key)
            for variable, value in draws:
                variable.assign(value)
        values = [variable.value for variable in self.center]
        gradients, states = gradients_at(
            self, values, x, y, sample_weight, states=self._carried.mapping()
        )
        self._carried.carry(states)
        return gradients

    def _locked_draws(self, x):
        """A minibatch's key and the (variable, value) pairs that fix what it draws."""
        if not self._draws:
            return tf.constant(0, tf.int64), ()
        key = key_of(x)
        return key, self._draws.locked(key, self.snapshot_count.value, self.seed)

    def reduce_variance(self, gradients, anchor_gradients):
        scale = loss_scale(self.optimizer)
        full_gradient = [
            g.value if scale is None else g.value * tf.cast(scale, g.dtype)
            for g in self.full_gradient
        ]
        return [
            None if gradient is None else corrected(gradient, anchor, full)
            for gradient, anchor, full in zip(
                gradients, anchor_gradients, full_gradient, strict=True
            )
        ]

    def train_step(self, data):
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

    # ---- outer iterations --------------------------------------------------------------------

    def keeps_batches(self, x):
        return self.draws == "locked" and self._draws.are_made(x)

    def fixed_batches(self, shuffle):
        if not shuffle or not self.batches.of_arrays:
            return None
        if stateful_variables(self.model):
            raise InputError(
                "shuffle must be False: a stateful RNN carries its state from each sample to the "
                "one in the same place of the next batch"
            )
        if not self.keeps_batches(next(iter(self.batches))[0]):
            return None
        seed = np.random.default_rng([self.seed, int(self.step_count)])
        batches = self.batches.fixed(seed)
        self.batches = Batches(batches, class_weight=self.batches.class_weight)
        number = self.batches.batch_count
        return batches.shuffle(number, seed=int(seed.integers(2**31))).prefetch(2)

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self._verbose = verbose
        self.snapshot_due = True
        self._keys = None
        self._epochs_without_gain = 0
        if [id(variable) for variable in self.trainable_variables] != self._trained:
            raise InputError(
                f"model has other trainable weights than when {type(self).__name__} was built "
                "around it: freeze or unfreeze layers first, then build it anew"
            )
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(f"{type(self).__name__} trains on one device; leave the strategy out")
        if not self.optimizer.built:
            # A loss scale is a variable from here on, and no constant of what is traced.
            self.optimizer.build(self.trainable_variables)
        # For another loss or optimizer Keras traces its step anew, and so is this.
        if self._traced_beside is not self.train_function:
            self._traced_beside = self.train_function
            self._full_gradient = FullGradient(
                self, self.full_gradient, self._carried, self._locked_draws
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
        self.snapshot_count.assign_add(1)
        samples, steps, self._keys = self._full_gradient.compute(self.batches, self._verbose)
        self.batches.sample_count = samples
        self.segment_length = steps_of_segment(
            self.snapshot_every,
            self._steps_per_epoch or steps,
            self.seed,
            int(self.step_count),
            self.steps_per_execution,
        )
        for center, variable in zip(self.center, self.trainable_variables, strict=True):
            center.assign(variable.value)
        self.steps_since_snapshot.assign(0)

    def after_step(self):
        if self.draws == "locked" and self._draws.of_augmentation:
            self._check_batch()
        if int(self.steps_since_snapshot) >= self.segment_length:
            self.snapshot_due = True
            self.end_segment()

    def on_fit_end(self):
        super().on_fit_end()
        if self._epochs_without_gain >= EPOCHS_WITHOUT_GAIN:
            warn_of_no_gain(type(self).__name__)

    def _check_batch(self):
        if self._keys is not None and int(self.batch_key) not in self._keys:
            raise InputError(
                "The model augments its inputs at random, and this batch was not among those of "
                "the full gradient: what is drawn for its samples cannot be the same in both. "
                "Batch the data before shuffling it (ds.batch(32).shuffle(n)), keep random "
                "transformations in the model and out of the data set, or set draws='fresh'."
            )

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
        ratio = variance_ratio(self._full_gradient, self)
        self._epochs_without_gain = self._epochs_without_gain + 1 if ratio >= 1 else 0
        own = {"full_gradient_norm": self._full_gradient.norm(), "variance_ratio": ratio}
        return {**super().diagnostics(), **own}
