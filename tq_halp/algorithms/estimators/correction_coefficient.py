"""``Coefficient``: a, how much of SVRG's correction a step takes (α-SVRG).

    v = (∇f_i(w) − a ∇f_i(w̃)) + a g̃

v is unbiased for any a that does not depend on i. It has the least variance for

    a* = Cov(∇f_i(w), ∇f_i(w̃)) / Var(∇f_i(w̃))

which is 1 at a snapshot and falls as w leaves w̃. In deep networks it soon falls below ½; then the
plain correction, a = 1, increases the variance.

Yin et al., *A Coefficient Makes SVRG Effective*, arXiv 2311.05589. A first phase without correction
is from Defazio & Bottou, arXiv 1812.04529.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Zeros
from tq_halp.algorithms.minibatch_gradient import Gradient, dense, widened
from tq_halp.errors import InputError

ESTIMATED = "estimated"
# Decay of the moving averages in a*: they reach back about ten steps.
_KEEP = 0.9


def checked(value: Any) -> float | str | keras.optimizers.schedules.LearningRateSchedule:
    """The coefficient as a float from 0 to 1, "estimated" or a Keras schedule.

    Args:
        value: one of these, or a schedule as Keras serializes it.

    Raises:
        InputError: it is none of these, or the first value of the schedule is not from 0 to 1.
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


def state_of(value: Any, count: int) -> dict[str, Zeros]:
    """Declares what a coefficient keeps from step to step: the averages of "estimated".

    Args:
        value: the coefficient.
        count: number of trainable variables.
    """
    average = Zeros((count,), "float64")
    return {"covariance": average, "variance": average} if value == ESTIMATED else {}


def coefficient_of(part: Any, start_after: int = 0) -> "Coefficient":
    """The ``Coefficient`` of a part whose state holds what ``state_of`` has declared."""
    is_estimated = part.coefficient == ESTIMATED
    averages = [part.covariance, part.variance] if is_estimated else []
    return Coefficient(part.coefficient, start_after, averages)


class Coefficient:
    """a for each trainable variable in each step.

    Args:
        value: a number; a schedule, a function of the number of steps whose values are clipped to
            [0, 1]; or "estimated": a* of each variable, clipped to [0, 1], from moving averages
            over the *previous* steps since the snapshot. So a does not depend on the minibatch.
        start_after: S; a = 0 in the first S steps.
        averages: for "estimated" two float64 variables of shape (number of variables,), initially
            zero: Cov and Var of a*.
    """

    def __init__(self, value: Any, start_after: int, averages: Sequence[keras.Variable] = ()):
        self._value, self._start_after, self._averages = value, start_after, averages

    @property
    def is_always_zero(self) -> bool:
        """Whether a = 0 for all variables in all steps."""
        return self._value == 0.0

    def is_zero(self, step: tf.Tensor | int) -> bool | tf.Tensor:
        """Whether a = 0 for all variables in a step: a bool, or a bool scalar while tracing.

        Args:
            step: number of steps before it.
        """
        if self.is_always_zero:
            return True
        is_early = step < self._start_after if self._start_after else False
        return (self._scheduled(step) <= 0.0) | is_early if callable(self._value) else is_early

    def of(self, step: tf.Tensor | int, count: int) -> list[tf.Tensor | None]:
        """a for each of ``count`` variables in a step, scalars; None if a is always 1."""
        if self._value == 1.0 and not self._start_after:
            return [None] * count
        if self._averages:
            covariance, variance = (average.value for average in self._averages)
            best = tf.clip_by_value(tf.math.divide_no_nan(covariance, variance), 0.0, 1.0)
            # In the first step after a snapshot w = w̃, so a* = 1.
            a = tf.where(variance > 0, best, tf.ones_like(best))
        else:
            a = self._scheduled(step) if callable(self._value) else tf.constant(self._value)
            a = tf.fill([count], a)
        if self._start_after:
            a = tf.where(step < self._start_after, tf.zeros_like(a), a)
        return tf.unstack(a, num=count)

    def _scheduled(self, step: tf.Tensor | int) -> tf.Tensor:
        # The step as a float: schedules may multiply it by floats.
        value = tf.convert_to_tensor(self._value(tf.cast(step, tf.float32)))
        return tf.clip_by_value(tf.cast(value, tf.float32), 0.0, 1.0)

    def observe(
        self, tensors: Sequence[tuple[Gradient, Gradient, tf.Tensor]], scale: tf.Tensor | None
    ) -> None:
        """Updates the moving averages of "estimated" after a step.

            Cov ← 0.9 Cov + 0.1 ⟨∇f_i(w) − g̃, ∇f_i(w̃) − g̃⟩    Var ← 0.9 Var + 0.1 ‖∇f_i(w̃) − g̃‖²

        Args:
            tensors: (∇f_i(w), ∇f_i(w̃), g̃) for each variable, multiplied by the loss scale. If the
                first is None the update is by 0; if one has overflowed there is no update.
            scale: the loss scale; None if there is none.
        """
        if not self._averages:
            return
        nothing = tf.zeros([2], tf.float64)
        seen = [nothing if each[0] is None else _products(*each, scale) for each in tensors]
        counts = tf.stack([tf.reduce_all(tf.math.is_finite(products)) for products in seen])
        for average, new in zip(self._averages, tf.unstack(tf.stack(seen), axis=1), strict=True):
            moved = _KEEP * average.value + (1.0 - _KEEP) * new
            average.assign(tf.where(counts, moved, average.value))

    def reset(self) -> None:
        """Called at a snapshot: the averages start anew."""
        for average in self._averages:
            average.assign(tf.zeros_like(average.value))


def _products(
    gradient: Gradient, anchor: Gradient, full: tf.Tensor, scale: tf.Tensor | None
) -> tf.Tensor:
    """⟨∇f_i(w) − g̃, ∇f_i(w̃) − g̃⟩ and ‖∇f_i(w̃) − g̃‖² of one variable: float64, shape (2,)."""
    full = widened(full)
    here, there = dense(gradient, full) - full, dense(anchor, full) - full
    if scale is not None:
        here, there = (each / tf.cast(scale, each.dtype) for each in (here, there))
    products = tf.stack([tf.reduce_sum(here * there), tf.reduce_sum(there * there)])
    return tf.cast(products, tf.float64)
