"""``Averaged``: the average of low-precision iterates, as in SWALP.

Yang et al., *SWALP: Stochastic Weight Averaging in Low-Precision Training*, arXiv 1904.11943:

    w_t = Q(w_{t−1} − α ∇f_i(w_{t−1}))          LP-SGD, on a fixed grid
    w̄   = mean of w_t over t = S+c, S+2c, ...    in floating point

Rounding errors are unbiased, so they average out, and w̄ gets closer to the optimum than any w_t.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Iterate, Zeros, like
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.algorithms.iterates.constraints import constrained
from tq_halp.algorithms.iterates.fixed_grid import FixedGrid
from tq_halp.errors import InputError


@keras.saving.register_keras_serializable(package="tq_halp")
class Averaged(Iterate):
    """Iterates on a fixed grid; the result of training is their average.

    The model's weights are the iterate during a step. They become the average for validation, for
    the callbacks at an epoch's end, at the end of ``fit``, and for ``evaluate``, ``predict``,
    ``save``, ``save_weights`` and ``export``; the next step puts the iterate back. Constraints of
    weights hold for the average, too. The statistics of BatchNormalization are those of the
    iterates. Another ``fit`` starts from the average, rounded to the grid, and averages anew.

    Args:
        format, rounding: of the iterates, as for ``FixedGrid``.
        average_after: S, the number of steps before averaging begins, an int from 0.
        average_every: c, the number of steps from one averaged iterate to the next, an int from 1.
        error_feedback: of the iterates, as for ``FixedGrid``.

    Raises:
        InputError: an argument is not one of the above. In ``fit``: the optimizer has ``use_ema``,
            whose average this one would overwrite.
    """

    average: list[keras.Variable]
    average_count: keras.Variable
    hidden_iterate: list[keras.Variable]
    shows_average: keras.Variable

    def __init__(
        self,
        format: formats.Format | str | Mapping,
        rounding: str | None = "stochastic",
        average_after: int = 0,
        average_every: int = 1,
        error_feedback: int | str | None = None,
    ):
        for name, value, least in (
            ("average_after", average_after, 0),
            ("average_every", average_every, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be an integer from {least}. Received: {value!r}")
        self.average_after, self.average_every = average_after, average_every
        self._grid = FixedGrid(format, rounding, error_feedback)
        self.format, self.rounding = self._grid.format, rounding
        self.error_feedback = self._grid.error_feedback

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self._grid.bind(trainer)

    def state(self) -> dict[str, Any]:
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
        if int(self.shows_average):
            # Training goes on from the average, and e belongs to the iterate.
            self._grid.forget_residual()
        self._grid.on_fit_begin()
        self.average_count.assign(0)
        self.shows_average.assign(0)

    def settle(self) -> None:
        """w ← Q(w); if w is averaged, w̄ ← w̄ + (w − w̄) / n, for the n-th averaged w."""
        self._grid.settle()
        late = self.trainer.step_count.value - self.average_after
        counts = (late > 0) & (late % self.average_every == 0)
        self.average_count.assign_add(tf.cast(counts, tf.int64))
        share = tf.cast(counts, tf.float64) / tf.cast(tf.maximum(self.average_count, 1), tf.float64)
        for average, variable in zip(self.average, self.weights, strict=True):
            change = tf.cast(variable.value, average.dtype) - average.value
            average.assign_add(tf.cast(share, average.dtype) * change)

    def on_segment_end(self) -> None:
        self._grid.on_segment_end()

    def on_fit_end(self) -> None:
        self.show_result()

    def show_result(self) -> None:
        if int(self.average_count) == 0 or int(self.shows_average):
            return
        self.trainer.loop.check_setting()
        for variable, iterate, average in self._triples():
            iterate.assign(variable.value)
            variable.assign(_as_weight(variable, average))
        self.shows_average.assign(1)

    def before_step(self) -> None:
        if int(self.shows_average):
            self.trainer.loop.check_setting()
            self.shows_average.assign(0)
            self._put_iterate_back()

    def _put_iterate_back(self) -> None:
        """w ← the iterate, except for weights that the user has set since the average is shown."""
        for index, (variable, iterate, average) in enumerate(self._triples()):
            if np.array_equal(variable.numpy(), _as_weight(variable, average).numpy()):
                variable.assign(iterate.value)
            else:
                self._grid.forget_residual(index)

    def _triples(self) -> Iterator[tuple[keras.Variable, keras.Variable, keras.Variable]]:
        """(weight, iterate, average) of each tensor."""
        return zip(self.weights, self.hidden_iterate, self.average, strict=True)

    def diagnostics(self) -> dict[str, float]:
        is_hidden = int(self.shows_average)
        return self._grid.diagnostics_of(self.hidden_iterate if is_hidden else self.weights)


def _as_weight(variable: keras.Variable, average: keras.Variable) -> tf.Tensor:
    """The average as a value of the weight: with its constraint, in its dtype."""
    return tf.cast(constrained(variable, average.value), variable.dtype)
