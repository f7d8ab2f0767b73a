"""``FixedGrid``: weights that are numbers of a fixed format, as in LP-SGD and LP-SVRG."""

import warnings
from collections.abc import Callable, Mapping

import keras
import numpy as np

from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Iterate
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.algorithms.iterates.constraints import check_on_grid
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

    Raises:
        InputError: an argument is not one of the above.
    """

    numbers = {"saturated_epochs": 0}
    saturated_epochs: int

    def __init__(self, format: formats.Format | str | Mapping, rounding: str | None = "stochastic"):
        format = formats.get(format)
        if isinstance(format, formats.ScaledInteger):
            raise InputError(
                "format must be a grid that does not move with the largest weight, such as a "
                f"tq_halp.formats.FixedPoint. Received: {format!r}"
            )
        Quantizer(format, rounding=rounding)
        self.format, self.rounding = format, rounding

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self._quantizer = Quantizer(self.format, rounding=self.rounding, seed=trainer.seed)

    def check_setting(self) -> None:
        check_on_grid(self.weights, self._quantizer)

    def on_fit_begin(self) -> None:
        self.settle()

    def settle(self) -> None:
        self._round(self._quantizer)

    def on_fit_end(self) -> None:
        if uses_ema(self.trainer.optimizer):
            # Keras has set the weights to their moving averages.
            self._round(self._quantizer.derive("average"))

    def _round(self, to_grid: Callable) -> None:
        for index, variable in enumerate(self.weights):
            counter = self.trainer.random_counter(index)
            variable.assign(to_grid(variable.value, counter=counter))

    def diagnostics(self) -> dict[str, float]:
        return self.diagnostics_of(self.weights)

    def diagnostics_of(self, weights: list[keras.Variable]) -> dict[str, float]:
        """The step of a fixed-point grid, and the shares of the weights at its ends and at 0.

        Empty for other formats.
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
