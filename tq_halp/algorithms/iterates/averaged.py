"""SWALP: the average of low-precision iterates, which goes below LP-SGD's floor.

Yang et al., *SWALP: Stochastic Weight Averaging in Low-Precision Training*, arXiv 1904.11943:

    w_t = Q(w_{t−1} − α ∇f_i(w_{t−1}))          LP-SGD, on a fixed grid
    w̄   = mean of w_t over t = S+c, S+2c, ...    in floating point

Rounding errors are unbiased and average out, where the iterate itself keeps them.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.algorithms.iterates.constraints import constrained
from tq_halp.algorithms.iterates.fixed_grid import FixedGrid
from tq_halp.algorithms.part import Iterate, Zeros, like
from tq_halp.errors import InputError


@keras.saving.register_keras_serializable(package="tq_halp")
class Averaged(Iterate):
    """Iterates on a fixed grid, and their average as the result.

    The model holds the iterate during a step and until somebody asks for the result: a validation,
    the callbacks at the end of an epoch, the end of ``fit``, ``evaluate``, ``predict``, ``save``,
    ``save_weights``, ``export``. These see the average, and the next step goes on with the iterate.
    A constraint of a weight holds for the average as well. Statistics of BatchNormalization are
    those of the iterates. Another ``fit`` begins at the average, rounded to the grid, and averages
    anew.

    Args:
        format, rounding: of the iterates, as for ``FixedGrid``.
        average_after: S, the number of steps that are left out.
        average_every: c, steps from one averaged iterate to the next.

    Raises:
        InputError: an argument is not one of the above; in ``fit``, the optimizer has ``use_ema``,
            whose average this one would overwrite.
    """

    def __init__(
        self,
        format: formats.Format | str | Mapping,
        rounding: str | None = "stochastic",
        average_after: int = 0,
        average_every: int = 1,
    ):
        for name, value, least in (
            ("average_after", average_after, 0),
            ("average_every", average_every, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be an integer from {least}. Received: {value!r}")
        self.average_after, self.average_every = average_after, average_every
        self._grid = FixedGrid(format, rounding)
        self.format, self.rounding = self._grid.format, rounding

    def bind(self, trainer) -> None:
        super().bind(trainer)
        self._grid.bind(trainer)

    def state(self):
        return {
            "grid": self._grid,
            "average": like(self.weights, wide=True),
            "average_count": Zeros(),
            "hidden_iterate": like(self.weights),
            "shows_average": Zeros(),
        }

    def check_setting(self) -> None:
        self._grid.check_setting()
        if uses_ema(self.trainer.optimizer):
            raise InputError(
                f"use_ema of the optimizer must be False for {type(self.trainer).__name__}, whose "
                "result is an average of the iterates already. Received: True"
            )

    def on_fit_begin(self) -> None:
        self._grid.on_fit_begin()
        self.average_count.assign(0)
        self.shows_average.assign(0)

    def settle(self) -> None:
        """w ← Q(w), and w̄ ← w̄ + (w − w̄) / n where the step counts."""
        self._grid.settle()
        late = self.trainer.step_count.value - self.average_after
        counts = (late > 0) & (late % self.average_every == 0)
        self.average_count.assign_add(tf.cast(counts, tf.int64))
        share = tf.cast(counts, tf.float64) / tf.cast(tf.maximum(self.average_count, 1), tf.float64)
        for average, variable in zip(self.average, self.weights, strict=True):
            change = tf.cast(variable.value, average.dtype) - average.value
            average.assign_add(tf.cast(share, average.dtype) * change)

    def on_fit_end(self) -> None:
        self.show_result()

    def show_result(self) -> None:
        if int(self.average_count) == 0 or int(self.shows_average):
            return
        self.trainer.loop.check_setting()
        for variable, iterate, average in self._places():
            iterate.assign(variable.value)
            variable.assign(_as_weight(variable, average))
        self.shows_average.assign(1)

    def before_step(self) -> None:
        if int(self.shows_average):
            self.trainer.loop.check_setting()
            self.shows_average.assign(0)
            self._put_iterate_back()

    def _put_iterate_back(self):
        """Where nobody has set the weight in the meantime."""
        for variable, iterate, average in self._places():
            if np.array_equal(variable.numpy(), _as_weight(variable, average).numpy()):
                variable.assign(iterate.value)

    def _places(self):
        return zip(self.weights, self.hidden_iterate, self.average, strict=True)

    def diagnostics(self) -> dict[str, float]:
        is_hidden = int(self.shows_average)
        return self._grid.diagnostics_of(self.hidden_iterate if is_hidden else self.weights)


def _as_weight(variable, average):
    """The average as the weight can hold it."""
    return tf.cast(constrained(variable, average.value), variable.dtype)
