"""How much of SVRG's correction a step takes: the coefficient a of α-SVRG.

    g = (∇f_i(w) − a ∇f_i(w̃)) + a g̃

Unbiased for any a that does not depend on i. Its variance is least at a* = Cov(∇f_i(w), ∇f_i(w̃)) /
Var(∇f_i(w̃)), which is 1 at a snapshot and falls as the iterate leaves it: in deep networks soon
below ½, where the plain correction (a = 1) does harm.

Yin et al., *A Coefficient Makes SVRG Effective*, arXiv 2311.05589; a start after S steps: Defazio &
Bottou, arXiv 1812.04529.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.minibatch_gradient import dense, widened
from tq_halp.errors import InputError

ESTIMATED = "estimated"
# Of the moving averages behind a*: about the last ten steps count.
_KEEP = 0.9


def checked(value):
    """A float from 0 to 1, "estimated", or a schedule; also from what Keras serializes one to.

    Raises:
        InputError: it is none of these, or a schedule that does not begin from 0 to 1.
    """
    if isinstance(value, dict):
        value = keras.optimizers.schedules.deserialize(value)
    if value == ESTIMATED:
        return value
    is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_schedule and not 0 <= (first := float(value(0))) <= 1:
        raise InputError(f"coefficient must begin from 0 to 1. Received a schedule with {first}")
    if not is_schedule and not (is_number and 0 <= value <= 1):
        raise InputError(
            "coefficient must be a number from 0 to 1, 'estimated' or a Keras "
            f"LearningRateSchedule. Received: {value!r}"
        )
    return value if is_schedule else float(value)


def serialized(value):
    """What ``checked`` makes the same value of."""
    is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return keras.optimizers.schedules.serialize(value) if is_schedule else value


class Coefficient:
    """a of every tensor at every step.

    Args:
        value: a ``checked`` one. What a schedule, of the number of steps, gives is cut to [0, 1].
            "estimated" is a* per tensor, cut to [0, 1], from moving averages over the *former*
            steps since the snapshot, so that it does not depend on the present minibatch.
        start_after: S; a = 0 in the first S steps.
        averages: for "estimated" two float64 variables of shape (tensors,), zero at first.
    """

    def __init__(self, value, start_after, averages=()):
        self._value, self._start_after, self._averages = value, start_after, averages

    @property
    def is_always_zero(self):
        """Whether no step is ever corrected."""
        return self._value == 0.0

    def is_zero(self, step):
        """Whether no tensor is corrected in a step: False, True, or a tensor that tells."""
        if self.is_always_zero:
            return True
        is_early = step < self._start_after if self._start_after else False
        return (self._scheduled(step) <= 0.0) | is_early if callable(self._value) else is_early

    def of(self, step, count):
        """a of each of ``count`` tensors, scalar tensors; None for one that is always 1."""
        if self._value == 1.0 and not self._start_after:
            return [None] * count
        if self._averages:
            covariance, variance = (average.value for average in self._averages)
            best = tf.clip_by_value(tf.math.divide_no_nan(covariance, variance), 0.0, 1.0)
            # Before anything was seen the iterate is at the snapshot.
            a = tf.where(variance > 0, best, tf.ones_like(best))
        else:
            a = self._scheduled(step) if callable(self._value) else tf.constant(self._value)
            a = tf.fill([count], a)
        if self._start_after:
            a = tf.where(step < self._start_after, tf.zeros_like(a), a)
        return tf.unstack(a, num=count)

    def _scheduled(self, step):
        # As a float, which a schedule may multiply as it likes.
        value = tf.convert_to_tensor(self._value(tf.cast(step, tf.float32)))
        return tf.clip_by_value(tf.cast(value, tf.float32), 0.0, 1.0)

    def observe(self, tensors, scale):
        """Take a step into the averages of "estimated".

            Cov ← 0.9 Cov + 0.1 ⟨∇f_i(w) − g̃, ∇f_i(w̃) − g̃⟩    Var ← 0.9 Var + 0.1 ‖∇f_i(w̃) − g̃‖²

        Args:
            tensors: (∇f_i(w), ∇f_i(w̃), g̃) of each tensor, multiplied by ``scale`` unless that is
                None; where the first is None, or the scaled ones overflow, nothing is taken in.
        """
        if not self._averages:
            return
        nothing = tf.zeros([2], tf.float64)
        seen = [nothing if each[0] is None else _products(*each, scale) for each in tensors]
        counts = tf.stack([tf.reduce_all(tf.math.is_finite(products)) for products in seen])
        for average, new in zip(self._averages, tf.unstack(tf.stack(seen), axis=1), strict=True):
            moved = _KEEP * average.value + (1.0 - _KEEP) * new
            average.assign(tf.where(counts, moved, average.value))

    def reset(self):
        """At a snapshot."""
        for average in self._averages:
            average.assign(tf.zeros_like(average.value))


def _products(gradient, anchor, full, scale):
    full = widened(full)
    here, there = dense(gradient, full) - full, dense(anchor, full) - full
    if scale is not None:
        here, there = (each / tf.cast(scale, each.dtype) for each in (here, there))
    products = tf.stack([tf.reduce_sum(here * there), tf.reduce_sum(there * there)])
    return tf.cast(products, tf.float64)
