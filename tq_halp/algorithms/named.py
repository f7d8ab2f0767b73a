"""The algorithms by their names: each is an estimator paired with an iterate.

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
====================  ============================  =====================================

``model``, ``seed`` and further arguments are those of ``Trainer``; the others are those of the two
parts, where they are explained.
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
    """Plain minibatch training: w ← optimizer(w, ∇f_i(w)), exactly what Keras does itself.

    It exists so that the baseline runs through the same loop and logs the same numbers.
    """

    def __init__(self, model: keras.Model, *, seed: int = 0, **kwargs: Any):
        super().__init__(model, estimator=Minibatch(), iterate=FullPrecision(), seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSGD(Trainer):
    """LP-SGD: w ← Q_(δ,b)(optimizer(w, ∇f_i(w))) on a fixed grid; no full-precision copy is kept.

    Its error has a floor that no learning rate removes: stochastic rounding of a step s < δ has
    variance |s|(δ − |s|) (De Sa et al., arXiv 1803.03383).

    Args:
        format, rounding: of the weights, as for ``FixedGrid``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        rounding: str | None = "stochastic",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            model, estimator=Minibatch(), iterate=FixedGrid(format, rounding), seed=seed, **kwargs
        )


@keras.saving.register_keras_serializable(package="tq_halp")
class SWALP(Trainer):
    """LP-SGD whose result is the average of its iterates (Yang et al., arXiv 1904.11943).

    Args:
        format, rounding, average_after, average_every: as for ``Averaged``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        average_after: int = 0,
        average_every: int = 1,
        rounding: str | None = "stochastic",
        seed: int = 0,
        **kwargs: Any,
    ):
        iterate = Averaged(format, rounding, average_after, average_every)
        super().__init__(model, estimator=Minibatch(), iterate=iterate, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCenteredSGD(Trainer):
    """HALP's moving grid without variance reduction: what the grid does alone.

        z ← Q_(δ,b)(z − α ∇f_i(w̃ + z));   at a snapshot   w̃ ← w̃ + z,  δ from ‖g̃‖,  z ← 0

    De Sa et al., arXiv 1803.03383, without the correction of its Algorithm 3. A step costs one
    gradient, as a step of SGD; g̃ is there for the scale only, for which that of a part of the data
    will do.

    Args:
        word_bits, mu, scale, rounding, format, snapshot_every, iterate: as for ``BitCentered``.
        snapshot_fraction: likewise; 1 where batches cannot be picked out of the data.
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
        snapshot_fraction: float = 0.1,
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
    """Stochastic variance-reduced gradient training (Johnson & Zhang, NIPS 2013).

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

    It converges linearly, but only to a ball of radius O(δ): E[f(w̃) − f*] is bounded by
    2dδ²L/(γ(1−γ)) (De Sa et al., arXiv 1803.03383, Theorem 1).

    Args:
        format, rounding: of the weights, as for ``FixedGrid``.
        further arguments: as for ``SVRG``.
    """

    def __init__(
        self,
        model: keras.Model,
        format: Format | str | Mapping,
        *,
        rounding: str | None = "stochastic",
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
        fixed_grid = FixedGrid(format, rounding)
        super().__init__(model, estimator=estimator, iterate=fixed_grid, seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class HALP(Trainer):
    """High-accuracy low-precision training (De Sa et al., arXiv 1803.03383, Algorithm 3).

    SVRG whose iterate is a b-bit offset from a full-precision center ("bit centering").

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
