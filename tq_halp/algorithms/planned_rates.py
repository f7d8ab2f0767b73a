"""``PlannedRates``: the learning rates of the steps to come, and of those just made."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.inner_optimizer import optimizer_of
from tq_halp.keras_internals.optimizers import rate_schedule, scheduled_steps

# A schedule is evaluated at this many steps of a segment at most.
_POINTS = 64


class PlannedRates:
    """Evaluates schedules of the learning rate ahead of the steps.

    A rate that is no schedule, but is set by hand or by a callback, is taken to stay as it is.
    """

    def __init__(self) -> None:
        # {schedule: its traced evaluation}; a schedule takes milliseconds if it is not traced.
        self._traced: list[tuple[keras.optimizers.schedules.LearningRateSchedule, Callable]] = []

    def means(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: Sequence[keras.Variable],
        first: int,
        steps: int,
    ) -> np.ndarray:
        """Mean rate of each variable over ``steps`` ≥ 1 steps, float64 (variables,).

        Args:
            optimizer: of the trainer; it may contain several.
            first: the first of these steps; 0 is the next one, -1 the last one.
        """
        found: dict[int, float] = {}
        result = []
        for variable in variables:
            moved_by = optimizer_of(optimizer, variable)
            if id(moved_by) not in found:
                found[id(moved_by)] = self._mean(moved_by, first, steps)
            result.append(found[id(moved_by)])
        return np.array(result)

    def _mean(self, optimizer: keras.optimizers.Optimizer, first: int, steps: int) -> float:
        schedule = rate_schedule(optimizer)
        if schedule is None:
            return float(optimizer.learning_rate)
        count = min(steps, _POINTS)
        # The middles of `count` equal parts; with one part for each step, the steps themselves.
        middles = (np.arange(count) * 2 + 1) * steps // (2 * count)
        at = np.maximum(scheduled_steps(optimizer) + first + middles, 0)
        return float(np.mean(self._evaluation(schedule)(tf.constant(at, tf.int64)).numpy()))

    def _evaluation(self, schedule: keras.optimizers.schedules.LearningRateSchedule) -> Callable:
        for known, traced in self._traced:
            if known is schedule:
                return traced

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
        def traced_schedule(steps: tf.Tensor) -> tf.Tensor:
            return tf.map_fn(
                lambda step: tf.cast(schedule(step), tf.float64),
                steps,
                fn_output_signature=tf.float64,
            )

        self._traced.append((schedule, traced_schedule))
        return traced_schedule
