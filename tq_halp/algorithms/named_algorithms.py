"""The named algorithms: ``Trainer`` with a fixed pair of an estimator and an iterate.

====================  ============================  =====================================
class                 estimator of the gradient     iterate
====================  ============================  =====================================
SGD                   Minibatch                     FullPrecision
LowPrecisionSGD       Minibatch                     FixedGrid
SWALP                 Minibatch                     Averaged
BitCenteredSGD        Minibatch                     BitCentered
SVRG                  VarianceReduced               FullPrecision
LowPrecisionSVRG      VarianceReduced               FixedGrid
HALP                  VarianceReduced               BitCentered
SAGA                  GradientTable                 FullPrecision
BitCenteredSAGA       GradientTable                 BitCentered
====================  ============================  =====================================

The last two are in ``table_algorithms``.

``model``, ``seed`` and ``kwargs`` are the arguments of ``Trainer``. All others are arguments of the
two parts, and are documented there.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from tq_halp.algorithms.estimators import Minibatch, VarianceReduced
from tq_halp.algorithms.iterates import Averaged, BitCentered, FixedGrid, FullPrecision
from tq_halp.algorithms.trainer import Trainer
from tq_halp.formats import Format


@keras.saving.register_keras_serializable(package="tq_halp")
class SGD(Trainer):
    """Minibatch training as in Keras itself: w ← optimizer(w, ∇f_i(w)).

    It is the baseline with the same training loop and the same logs as the other algorithms.
    """

    def __init__(self, model: keras.Model, *, seed: int = 0, **kwargs: Any):
        super().__init__(model, estimator=Minibatch(), iterate=FullPrecision(), seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSGD(Trainer):
    """LP-SGD: w ← Q_(δ,b)(optimizer(w, ∇f_i(w))) on a fixed grid, without a full-precision copy.

    The loss has a floor that depends on δ: stochastic rounding of a step s < δ has the variance
    |s|(δ − |s|), which a smaller learning rate does not remove (De Sa et al., arXiv 1803.03383).

    Args:
        format, rounding, error_feedback: of the weights, as for ``FixedGrid``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        rounding: str | None = "stochastic",
        error_feedback: int | str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        fixed_grid = FixedGrid(format, rounding, error_feedback)
        super().__init__(model, estimator=Minibatch(), iterate=fixed_grid, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class SWALP(Trainer):
    """SWALP: LP-SGD whose result is the average of its iterates (Yang et al., arXiv 1904.11943).

    Args:
        format, rounding, average_after, average_every, error_feedback: as for ``Averaged``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        average_after: int = 0,
        average_every: int = 1,
        rounding: str | None = "stochastic",
        error_feedback: int | str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        iterate = Averaged(format, rounding, average_after, average_every, error_feedback)
        super().__init__(model, estimator=Minibatch(), iterate=iterate, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCenteredSGD(Trainer):
    """Bit-centered SGD: HALP without variance reduction, to measure what bit centering does alone.

        z ← Q_(δ,b)(z − α ∇f_i(w̃ + z));   at a snapshot   w̃ ← w̃ + z,  δ anew,  z ← 0

    It is Algorithm 3 of De Sa et al., arXiv 1803.03383, without the correction of the gradient. A
    step costs one minibatch gradient, as in SGD, and a snapshot none: δ follows from how far the
    last segment went (``displacement_rule``). A number μ, or a ``snapshot_fraction``, takes δ from
    ‖g̃‖ instead, over that part of the data.

    Args:
        word_bits, mu, scale, rounding, format, snapshot_every, iterate: as for ``BitCentered``.
        snapshot_fraction: as for ``BitCentered``; with a number μ it must be 1 for data of unknown
            length and for stateful RNNs.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        word_bits: int = 8,
        mu: str | float = "auto",
        scale: str = "per_tensor",
        rounding: str | None = "stochastic",
        format: Format | str | Mapping | None = None,
        snapshot_every: str | int | float = "epoch",
        snapshot_fraction: float | None = None,
        iterate: str = "last",
        seed: int = 0,
        **kwargs: Any,
    ):
        bit_centered = BitCentered(
            word_bits, mu, scale, format, rounding, snapshot_every, snapshot_fraction, iterate
        )
        super().__init__(model, estimator=Minibatch(), iterate=bit_centered, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class SVRG(Trainer):
    """Stochastic variance-reduced gradient descent (Johnson & Zhang, NIPS 2013).

        v = (∇f_i(w) − ∇f_i(w̃)) + ∇f(w̃);   w ← optimizer(w, v)

    Args:
        snapshot_every, iterate, draws, coefficient, start_after, snapshot_fraction,
            variance_ratio: as for ``VarianceReduced``.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        snapshot_every: str | int | float = "epoch",
        iterate: str = "last",
        draws: str = "locked",
        coefficient: float | str | LearningRateSchedule = 1.0,
        start_after: int = 0,
        snapshot_fraction: float = 1.0,
        variance_ratio: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ):
        estimator = VarianceReduced(
            snapshot_every,
            coefficient,
            start_after,
            snapshot_fraction,
            draws,
            iterate,
            variance_ratio,
        )
        super().__init__(model, estimator=estimator, iterate=FullPrecision(), seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSVRG(Trainer):
    """LP-SVRG: SVRG whose iterate lives on a fixed grid, w ← Q_(δ,b)(w − α v).

    It converges linearly until E[f(w̃) − f*] reaches about 2dδ²L/(γ(1−γ)) (De Sa et al., arXiv
    1803.03383, Theorem 1; see ``algorithms.theory``).

    Args:
        format, rounding, error_feedback: of the weights, as for ``FixedGrid``.
        further arguments: as for ``SVRG``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        rounding: str | None = "stochastic",
        error_feedback: int | str | None = None,
        snapshot_every: str | int | float = "epoch",
        iterate: str = "last",
        draws: str = "locked",
        coefficient: float | str | LearningRateSchedule = 1.0,
        start_after: int = 0,
        snapshot_fraction: float = 1.0,
        variance_ratio: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ):
        estimator = VarianceReduced(
            snapshot_every,
            coefficient,
            start_after,
            snapshot_fraction,
            draws,
            iterate,
            variance_ratio,
        )
        fixed_grid = FixedGrid(format, rounding, error_feedback)
        super().__init__(model, estimator=estimator, iterate=fixed_grid, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class HALP(Trainer):
    """High-accuracy low-precision training (De Sa et al., arXiv 1803.03383, Algorithm 3).

    SVRG whose iterate is a full-precision center plus a b-bit offset ("bit centering"):

        z ← Q_(δ,b)(z − α v),   v = (∇f_i(w̃ + z) − ∇f_i(w̃)) + g̃
        at a snapshot   w̃ ← w̃ + z,  g̃ ← ∇f(w̃),  δ ← ‖g̃‖₂ / (μ (2^(b−1) − 1)),  z ← 0

    Args:
        word_bits, mu, scale, rounding, format: of the offset, as for ``BitCentered``.
        further arguments: as for ``SVRG``.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        word_bits: int = 8,
        mu: str | float = "auto",
        scale: str = "per_tensor",
        rounding: str | None = "stochastic",
        format: Format | str | Mapping | None = None,
        snapshot_every: str | int | float = "epoch",
        iterate: str = "last",
        draws: str = "locked",
        coefficient: float | str | LearningRateSchedule = 1.0,
        start_after: int = 0,
        snapshot_fraction: float = 1.0,
        variance_ratio: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ):
        estimator = VarianceReduced(
            snapshot_every,
            coefficient,
            start_after,
            snapshot_fraction,
            draws,
            iterate,
            variance_ratio,
        )
        bit_centered = BitCentered(word_bits, mu, scale, format, rounding)
        super().__init__(model, estimator=estimator, iterate=bit_centered, seed=seed, **kwargs)
