"""Weights that live in a number format: what LP-SGD and LP-SVRG have in common."""

import warnings

import numpy as np

from tq_halp import formats
from tq_halp.algorithms.constraints import check_on_grid
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


class FixedGridMixin:
    """After every step w ← Q(w): the weights are never anything but numbers of the format.

    Args:
        format: the grid, a format of ``tq_halp.formats``, its name or its mapping
            (``{"format": "fixed_point", "word_bits": 8, "frac_bits": 6}``). Any but a
            ``ScaledInteger``, whose grid would move with the largest weight.
        rounding: one that the format takes; "stochastic" is unbiased, E[Q(w)] = w inside the
            range, and what the paper uses. None for formats that are not rounded to.
    """

    def __init__(self, model, format, *, rounding="stochastic", **kwargs):
        format = formats.get(format)
        if isinstance(format, formats.ScaledInteger):
            raise InputError(
                "format must be a grid that does not move with the largest weight, such as a "
                f"tq_halp.formats.FixedPoint. Received: {format!r}"
            )
        self.format, self.rounding = format, rounding
        super().__init__(model, **kwargs)
        self._saturated_epochs = 0
        self._quantizer = Quantizer(format, rounding=rounding, seed=self.seed)

    def check_setting(self):
        super().check_setting()
        check_on_grid(self.trainable_variables, self._quantizer)

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self.quantize_iterate()

    def on_fit_end(self):
        """Keras has put the averages of ``use_ema``, if any, into the weights."""
        super().on_fit_end()
        if uses_ema(self.optimizer):
            to_grid = self._quantizer.derive("average")
            for index, variable in enumerate(self.trainable_variables):
                variable.assign(to_grid(variable.value, counter=self.random_counter(index)))

    def quantize_iterate(self):
        for index, variable in enumerate(self.trainable_variables):
            variable.assign(self._quantizer(variable.value, counter=self.random_counter(index)))

    def iterate_variables(self):
        """Where the iterate is."""
        return self.trainable_variables

    def diagnostics(self):
        """On a grid of equal steps also its step, and shares of weights at its ends and at 0."""
        logs = super().diagnostics()
        if not isinstance(self.format, formats.FixedPoint):
            return logs
        at_end = zero = total = 0
        for weights in (variable.numpy() for variable in self.iterate_variables()):
            beyond = (weights <= self.format.min) | (weights >= self.format.max)
            at_end += np.count_nonzero(beyond)
            zero += weights.size - np.count_nonzero(weights)
            total += weights.size
        logs |= {"saturated_fraction": at_end / total, "underflow_fraction": zero / total}
        self._watch_range(logs["saturated_fraction"])
        return {**logs, "scale": self.format.step}

    def _watch_range(self, fraction):
        self._saturated_epochs = self._saturated_epochs + 1 if fraction > 0.05 else 0
        if self._saturated_epochs == 2:
            warnings.warn(
                f"{100 * fraction:.0f}% of the weights have been at an end of their grid's range, "
                f"{self.format.min} to {self.format.max}, in two epochs running, where they cannot "
                "grow. Lower frac_bits, or raise word_bits.",
                stacklevel=2,
            )

    def get_config(self):
        own = {"format": self.format.to_dict(), "rounding": self.rounding}
        return {**super().get_config(), **own}
