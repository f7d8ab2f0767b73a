"""Error feedback: what rounding takes from the weights is kept, and goes into a later rounding.

    u = w' + e,   w ← Q(u),   e ← u − w          w': the weights as the optimizer left them

So w + e takes the same steps as weights that are not rounded. With SGD it is w_0 − α Σ v, where w_0
is the start, before its first rounding (Seide et al., *1-Bit Stochastic Gradient Descent*,
Interspeech 2014, for gradients; Zamirai et al., *Revisiting BFloat16 Training*, arXiv 2010.06192,
for weights). What lies beyond the end of the format's range is lost: u is clipped to it before w is
subtracted. So e cannot grow where w saturates.

The kinds: ``ErrorFeedback`` is none, ``Residual`` keeps e beside the weights, and
``ResidualInMomentum`` puts it into the optimizer's momentum.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Part, like
from tq_halp.algorithms.iterates.constraints import constrained
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


class ErrorFeedback(Part):
    """No error feedback: what rounding takes is lost. The other kinds extend it.

    Args:
        quantizer: Q, the weights' own; the seed is set by ``bind``.
    """

    def __init__(self, quantizer: Quantizer):
        self._quantizer = quantizer

    def moved(self, index: int, weight: tf.Tensor) -> tf.Tensor:
        """u, which is to be rounded, for weight number ``index`` as the optimizer left it."""
        return weight

    def keep(self, index: int, moved: tf.Tensor, rounded: tf.Tensor) -> None:
        """e ← u − w, after w ← Q(u) in a step."""

    def start(self, index: int, moved: tf.Tensor, rounded: tf.Tensor) -> None:
        """e ← u − w, after w ← Q(u) where u is no step's result, but was set."""

    def forget(self, index: int) -> None:
        """e ← 0, where the weight has become another number of the format."""

    def error(self, moved: tf.Tensor, rounded: tf.Tensor) -> tf.Tensor:
        """u − w, with u clipped to the range of a format that has one."""
        if self._quantizer.format.elementwise:
            infinities = tf.constant([-np.inf, np.inf], moved.dtype)
            moved = tf.clip_by_value(moved, *tf.unstack(self._quantizer(infinities)))
        return moved - rounded


class Residual(ErrorFeedback):
    """e is a variable beside each weight, of its dtype: exact, or a number of few bits.

    Memory for each weight: that of its dtype; or ``bits``, in a processor that packs them.

    Args:
        quantizer: Q, the weights' own.
        bits: k, from 2 to 32: e is a k-bit signed integer times ``residual_format(...).step``,
            rounded as the weights, with random bits of its own. None: e is u − w in the dtype.

    Raises:
        InputError: the format has no uniform step to which k bits could refer.
    """

    residual: list[keras.Variable]

    def __init__(self, quantizer: Quantizer, bits: int | None = None):
        super().__init__(quantizer)
        self._format = None if bits is None else residual_format(quantizer, bits)

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self._to_bits = None
        if self._format is not None:
            rounding, seed = self._quantizer.rounding, trainer.seed
            self._to_bits = Quantizer(self._format, rounding, seed=seed).derive("residual")

    def state(self) -> dict[str, Any]:
        return {"residual": like(self.weights)}

    def moved(self, index: int, weight: tf.Tensor) -> tf.Tensor:
        """w' + e; projected once more where the weight has a constraint."""
        return constrained(self.weights[index], weight + self.residual[index].value)

    def keep(self, index: int, moved: tf.Tensor, rounded: tf.Tensor) -> None:
        error = self.error(moved, rounded)
        if self._to_bits is not None:
            error = self._to_bits(error, self.trainer.random_counter(index))
        self.residual[index].assign(error)

    def start(self, index: int, moved: tf.Tensor, rounded: tf.Tensor) -> None:
        self.keep(index, moved, rounded)

    def forget(self, index: int) -> None:
        self.residual[index].assign(tf.zeros_like(self.residual[index].value))

    def diagnostics(self) -> dict[str, float]:
        """``residual``: the mean of |e| / δ; empty for formats without a uniform step δ."""
        if not isinstance(self._quantizer.format, formats.FixedPoint):
            return {}
        values = np.concatenate([np.ravel(e.numpy()).astype("float64") for e in self.residual])
        return {"residual": float(np.mean(np.abs(values))) / self._quantizer.format.step}


def residual_format(quantizer: Quantizer, bits: int) -> formats.FixedPoint:
    """The format of a residual of k bits: k-bit signed integers times a part of the step δ.

    The step is δ/2^k if Q rounds to nearest, where |u − w| ≤ δ/2. Else it is δ/2^(k−1), since then
    |u − w| < δ: with δ/2^k half of the residuals would saturate, which pulls the weights aside.

    Raises:
        InputError: the weights' format is no ``FixedPoint``, or the step is too small for one.
    """
    grid = quantizer.format
    if not isinstance(grid, formats.FixedPoint):
        raise InputError(
            f"error_feedback must be None, 'exact' or 'momentum' for {grid}: bits of a residual "
            f"need a grid with one step everywhere, as fixed_point has. Received: {bits!r}"
        )
    is_nearest = str(quantizer.rounding).startswith("nearest")
    try:
        return formats.FixedPoint(bits, grid.frac_bits + bits - (not is_nearest))
    except InputError as error:
        raise InputError(f"error_feedback of {bits} bits for {grid}: {error}") from error
