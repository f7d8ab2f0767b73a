"""SVRG: variance-reduced gradients around a snapshot of the weights.

Johnson & Zhang, *Accelerating Stochastic Gradient Descent using Predictive Variance Reduction*,
NIPS 2013; with w̃ and g̃ = ∇f(w̃) from the last snapshot (``outer_loop``):

    v_t = (∇f_i(w_{t−1}) − ∇f_i(w̃)) + g̃

The bracket is evaluated first: at w = w̃ the two gradients are the same computation on the same
numbers, they cancel exactly, and the first step after a snapshot is the full gradient itself.
With a ``coefficient`` a it is v_t = (∇f_i(w_{t−1}) − a ∇f_i(w̃)) + a g̃.
"""

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms import coefficient as coefficients
from tq_halp.algorithms.batches import Batches
from tq_halp.algorithms.minibatch_gradient import (
    batch_size_of,
    corrected,
    dense,
    gradients_at,
    loss_scale,
)
from tq_halp.algorithms.outer_loop import OuterLoop
from tq_halp.algorithms.rnn_states import stateful_variables
from tq_halp.algorithms.transform_locking import Draws, key_of
from tq_halp.algorithms.variance_ratio import EPOCHS_WITHOUT_GAIN, variance_ratio, warn_of_no_gain
from tq_halp.errors import InputError

# More steps than any training has.
_ENDLESS = 2**40


@keras.saving.register_keras_serializable(package="tq_halp")
class SVRG(OuterLoop):
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
        coefficient: a, how much of the correction a step takes: a number from 0 to 1, a Keras
            ``LearningRateSchedule`` of the number of steps, or "estimated", what is best for each
            tensor (α-SVRG, Yin et al., arXiv 2311.05589; see ``Coefficient``). A step with a = 0
            costs one gradient instead of two and draws as plain training does; with 0 for all
            there is no snapshot either.
        start_after: S: a = 0 in the first S steps, and the first snapshot comes after them.
        snapshot_fraction: the share of the minibatches, drawn anew for each snapshot, whose mean
            gradient is g̃ (Babanezhad et al., *Stop Wasting My Gradients*, arXiv 1511.01942). The
            correction's mean is then no longer zero, but g̃'s error.
        variance_ratio: whether the logs of an epoch hold ``variance_ratio``, and training that
            gains nothing is warned of. It costs six minibatch gradients for every 100 minibatches
            of the data, six at least and 24 at most, which ``gradient_evaluations`` leaves out.
        seed: key of every random draw.

    Raises:
        ValueError: an argument is not one of the above; the training data cannot be passed over
            again (see ``fit``'s ``full_gradient_data``); samples are shuffled where a stateful RNN
            carries states, or come in other batches where augmentation is locked; a part is asked
            of a data set of unknown length, or for a stateful RNN.
    """

    host_state = (*OuterLoop.host_state, "_epochs_without_gain")

    def __init__(self, model, *, draws="locked", coefficient=1.0, variance_ratio=True, **kwargs):
        if not isinstance(variance_ratio, bool):
            raise InputError(f"variance_ratio must be True or False. Received: {variance_ratio!r}")
        self.variance_ratio = variance_ratio
        if draws not in ("locked", "fresh"):
            raise InputError(f"draws must be 'locked' or 'fresh'. Received: {draws!r}")
        self.draws = draws
        self.coefficient = coefficients.checked(coefficient)
        super().__init__(model, **kwargs)

    def create_state(self):
        super().create_state()
        self.batch_key = self._zeros("batch_key")
        self.anchor_samples = self._zeros("anchor_samples")
        self._draws = Draws(self.model)
        shape, is_estimated = (len(self.center),), self.coefficient == coefficients.ESTIMATED
        names = ("covariance", "variance") if is_estimated else ()
        averages = [self._zeros(name, shape, "float64") for name in names]
        self._coefficient = coefficients.Coefficient(self.coefficient, self.start_after, averages)
        self._epochs_without_gain = 0

    def get_config(self):
        own = {
            "draws": self.draws,
            "coefficient": coefficients.serialized(self.coefficient),
            "variance_ratio": self.variance_ratio,
        }
        return {**super().get_config(), **own}

    # ---- one step ----------------------------------------------------------------------------

    def anchor_gradients(self, x, y, sample_weight):
        """∇f_i(w̃); zeros in a step that takes nothing of it, None where no step ever does."""
        if self._coefficient.is_always_zero:
            return None
        skip = self._coefficient.is_zero(self.step_count.value)
        self._carried.follow()
        if self.draws == "locked":
            key, draws = self.locked_draws(x)
            self.batch_key.assign(key)
            for variable, value in draws:
                variable.assign(value if skip is False else tf.where(skip, variable.value, value))
        values = [variable.value for variable in self.center]
        states = self._carried.mapping()

        def taken():
            return gradients_at(self, values, x, y, sample_weight, states=states)

        def taken_dense():
            gradients, after = taken()
            return [dense(g, value) for g, value in zip(gradients, values, strict=True)], after

        def zeros():
            return [tf.zeros_like(value) for value in values], [value for _, value in states]

        gradients, after = taken() if skip is False else tf.cond(skip, zeros, taken_dense)
        self._carried.carry(after)
        count = tf.cast(batch_size_of(x), "int64")
        self.anchor_samples.assign_add(tf.where(skip, tf.zeros_like(count), count))
        return gradients

    def locked_draws(self, x):
        if not self._draws:
            return super().locked_draws(x)
        key = key_of(x)
        return key, self._draws.locked(key, self.snapshot_count.value, self.seed)

    def reduce_variance(self, gradients, anchor_gradients):
        if anchor_gradients is None:
            return gradients
        scale = loss_scale(self.optimizer)
        full_gradient = [
            g.value if scale is None else g.value * tf.cast(scale, g.dtype)
            for g in self.full_gradient
        ]
        tensors = list(zip(gradients, anchor_gradients, full_gradient, strict=True))
        shares = self._coefficient.of(self.step_count.value, len(tensors))
        self._coefficient.observe(tensors, scale)
        return [
            None if tensor[0] is None else corrected(*tensor, share)
            for tensor, share in zip(tensors, shares, strict=True)
        ]

    # ---- batches that stay together ----------------------------------------------------------

    def keeps_batches(self, x):
        is_locked = self.draws == "locked" and not self._coefficient.is_always_zero
        return is_locked and self._draws.are_made(x)

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
        batches, samples = self.batches.fixed(seed), self.batches.sample_count
        self.batches = Batches(batches, class_weight=self.batches.class_weight)
        self.batches.sample_count = samples
        number = self.batches.batch_count
        return batches.shuffle(number, seed=int(seed.integers(2**31))).prefetch(2)

    def after_step(self):
        if self.draws == "locked" and self._draws.of_augmentation:
            self._check_batch()
        super().after_step()

    def _check_batch(self):
        if self.snapshot_keys is None or self._coefficient.is_zero(int(self.step_count) - 1):
            return
        if int(self.batch_key) not in self.snapshot_keys:
            raise InputError(
                "The model augments its inputs at random, and this batch was not among those of "
                "the full gradient: what is drawn for its samples cannot be the same in both. "
                "Batch the data before shuffling it (ds.batch(32).shuffle(n)), keep random "
                "transformations in the model and out of the data set, or set draws='fresh'."
            )

    # ---- outer iterations --------------------------------------------------------------------

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self._epochs_without_gain = 0

    def on_fit_end(self):
        super().on_fit_end()
        if self._epochs_without_gain >= EPOCHS_WITHOUT_GAIN:
            warn_of_no_gain(type(self).__name__)

    def steps_without_correction(self):
        if self._coefficient.is_always_zero:
            return _ENDLESS * self.steps_per_execution
        return super().steps_without_correction()

    def take_snapshot(self):
        super().take_snapshot()
        self._coefficient.reset()

    # ---- logs --------------------------------------------------------------------------------

    def gradient_samples(self):
        return super().gradient_samples() + int(self.anchor_samples)

    def diagnostics(self):
        if not self.variance_ratio:
            return super().diagnostics()
        last_step = self.step_count.value - 1
        shares = self._coefficient.of(last_step, len(self.center))
        shares = [1.0 if share is None else float(share) for share in shares]
        ratio = variance_ratio(self._full_gradient, self, shares)
        self._epochs_without_gain = self._epochs_without_gain + 1 if ratio >= 1 else 0
        return {**super().diagnostics(), "variance_ratio": ratio}
