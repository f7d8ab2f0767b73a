"""``FixedGrid``: weights that are numbers of a fixed format, as in LP-SGD and LP-SVRG."""

import numbers
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Iterate
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.algorithms.iterates.constraints import check_on_grid
from tq_halp.algorithms.iterates.feedback_kinds import feedback_of
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


@keras.saving.register_keras_serializable(package="tq_halp")
class FixedGrid(Iterate):
    """w ← Q(w) after every step; no full-precision copy of the weights is kept.

    Args:
        format: a format of ``tq_halp.formats``, its name or its mapping
            (``{"format": "fixed_point", "word_bits": 8, "frac_bits": 6}``); any but
            ``ScaledInteger``, whose grid would move with the largest weight.
        rounding: one that the format takes. "stochastic" is unbiased, E[Q(w)] = w inside the
            range, as De Sa et al. (arXiv 1803.03383) use it. None for formats without a choice.
        error_feedback: what becomes of the rounding error u − w, where w = Q(u). None: it is lost.
            "exact": it is kept in the weights' dtype, e, and the next rounding is that of u = w' +
            e, with w' the weights as the optimizer left them. A number of bits, 2 to 32, of a
            ``FixedPoint``: e in so many bits (``residual_format``). "momentum": it goes into the
            momentum of SGD, Adam or AdamW (``ResidualInMomentum``).

    When training begins, weights that are numbers of the format are taken to be those of the last
    training, and keep their e. A tensor that is not on the grid was set by the user: it is rounded,
    and e is the error of that rounding. e is less than a step of the grid, so if a weight is set to
    another number of the grid, or between two steps, it is less than a step off.

    Raises:
        InputError: an argument is not one of the above. In ``fit``: the optimizer does not go with
            error_feedback="momentum".
    """

    numbers = {"saturated_epochs": 0}
    saturated_epochs: int

    def __init__(
        self,
        format: formats.Format | str | Mapping,
        rounding: str | None = "stochastic",
        error_feedback: int | str | None = None,
    ):
        format = formats.get(format)
        if isinstance(format, formats.ScaledInteger):
            raise InputError(
                "format must be a grid that does not move with the largest weight, such as a "
                f"tq_halp.formats.FixedPoint. Received: {format!r}"
            )
        self._feedback = feedback_of(error_feedback, Quantizer(format, rounding=rounding))
        self.format, self.rounding = format, rounding
        self.error_feedback = error_feedback
        if isinstance(error_feedback, numbers.Integral):
            self.error_feedback = int(error_feedback)

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self._quantizer = Quantizer(self.format, rounding=self.rounding, seed=trainer.seed)
        self._feedback.bind(trainer)

    def state(self) -> dict[str, Any]:
        return {"feedback": self._feedback}

    def check_setting(self) -> None:
        check_on_grid(self.weights, self._quantizer)
        self._feedback.check_setting()

    def on_fit_begin(self) -> None:
        self._put_on_grid(self._quantizer)

    def settle(self) -> None:
        """w ← Q(u), where u = w, or w + e with error feedback."""
        for index, variable in enumerate(self.weights):
            # A tensor: the value of the variable changes below.
            moved = self._feedback.moved(index, tf.convert_to_tensor(variable.value))
            rounded = self._quantizer(moved, counter=self.trainer.random_counter(index))
            variable.assign(rounded)
            self._feedback.keep(index, moved, rounded)

    def on_segment_end(self) -> None:
        if self.snapshots.candidate:
            # The snapshots have set the weights to those of a random step.
            self.forget_residual()

    def on_fit_end(self) -> None:
        if uses_ema(self.trainer.optimizer):
            # Keras has set the weights to their moving averages.
            self._put_on_grid(self._quantizer.derive("average"))

    def _put_on_grid(self, to_grid: Callable) -> None:
        """w ← Q(w) eagerly, for weights that may have been set."""
        for index, variable in enumerate(self.weights):
            value = tf.convert_to_tensor(variable.value)
            rounded = to_grid(value, counter=self.trainer.random_counter(index))
            variable.assign(rounded)
            if tf.reduce_any(rounded != value):
                self._feedback.start(index, value, rounded)

    def forget_residual(self, index: int | None = None) -> None:
        """e ← 0 for one weight or for all, which have become other numbers of the format."""
        for each in range(len(self.weights)) if index is None else [index]:
            self._feedback.forget(each)

    def diagnostics(self) -> dict[str, float]:
        return self.diagnostics_of(self.weights)

    def diagnostics_of(self, weights: list[keras.Variable]) -> dict[str, float]:
        """The step of a fixed-point grid, and the shares of the weights at its ends and at 0.

        With error feedback also the size of what is kept. Empty for other formats.
        """
        if not isinstance(self.format, formats.FixedPoint):
            return {}
        at_end = zero = total = 0
        for values in (variable.numpy() for variable in weights):
            beyond = (values <= self.format.min) | (values >= self.format.max)
            at_end += np.count_nonzero(beyond)
            zero += values.size - np.count_nonzero(values)
            total += values.size
        self._watch_range(at_end / total)
        return {
            "saturated_fraction": at_end / total,
            "underflow_fraction": zero / total,
            "scale": self.format.step,
            **self._feedback.diagnostics(),
        }

    def _watch_range(self, fraction: float) -> None:
        self.saturated_epochs = self.saturated_epochs + 1 if fraction > 0.05 else 0
        if self.saturated_epochs == 2 and isinstance(self.format, formats.FixedPoint):
            warnings.warn(
                f"{100 * fraction:.0f}% of the weights have been at an end of their grid's range, "
                f"{self.format.min} to {self.format.max}, in two epochs running, where they cannot "
                "grow. Lower frac_bits, or raise word_bits.",
                stacklevel=2,
            )
