"""Weights that live on a fixed grid (δ, b): what LP-SGD and LP-SVRG have in common."""

from tq_halp import formats
from tq_halp.quantizers import Quantizer


class FixedGridMixin:
    """After every step w ← Q(w): the weights are never anything but grid points.

    Args:
        format: the grid, a ``tq_halp.formats.FixedPoint`` or its mapping
            (``{"format": "fixed_point", "word_bits": 8, "frac_bits": 6}``).
        rounding: any rounding of ``quant_ops``; "stochastic" is unbiased, E[Q(w)] = w inside the
            range, and what the paper uses.
    """

    def __init__(self, model, format, *, rounding="stochastic", **kwargs):
        format = formats.get(format)
        if not isinstance(format, formats.FixedPoint):
            raise ValueError(
                "format must be a grid that does not move, a tq_halp.formats.FixedPoint. "
                f"Received: {format!r}"
            )
        self.format, self.rounding = format, rounding
        super().__init__(model, **kwargs)
        self._quantizer = Quantizer(format, rounding=rounding, seed=self.seed)

    def on_fit_begin(self, verbose):
        self.quantize_iterate(None)
        super().on_fit_begin(verbose)

    def quantize_iterate(self, previous):
        for index, variable in enumerate(self.trainable_variables):
            variable.assign(self._quantizer(variable.value, counter=self.random_counter(index)))

    def get_config(self):
        own = {"format": self.format.to_dict(), "rounding": self.rounding}
        return {**super().get_config(), **own}
