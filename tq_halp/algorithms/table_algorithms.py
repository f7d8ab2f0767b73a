"""The named algorithms with a gradient table: SAGA and its bit-centered form.

As those of ``named_algorithms`` they are ``Trainer`` with a fixed pair of parts, whose arguments
they take.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from tq_halp.algorithms.estimators import GradientTable
from tq_halp.algorithms.iterates import BitCentered, FullPrecision
from tq_halp.algorithms.trainer import Trainer
from tq_halp.formats import Format


@keras.saving.register_keras_serializable(package="tq_halp")
class SAGA(Trainer):
    """SAGA over minibatches: variance reduction at one gradient a step (Defazio et al., NIPS 2014).

        v = (∇f_i(w) − a T_i) + a T̄;   w ← optimizer(w, v);   T_i ← ∇f_i(w)

    T_i is the last gradient seen of minibatch i, T̄ their mean. There is no pass over the data.

    Args:
        table, coefficient, table_format, draws, table_packed, table_folder: ``update``,
            ``coefficient``, ``format``, ``draws``, ``packed`` and ``folder`` of ``GradientTable``.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        table: str = "epoch",
        coefficient: float | str | LearningRateSchedule = 1.0,
        table_format: int | Format | str | Mapping | None = None,
        draws: str = "locked",
        table_packed: bool = False,
        table_folder: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        estimator = GradientTable(
            table, coefficient, table_format, draws, table_packed, table_folder
        )
        super().__init__(model, estimator=estimator, iterate=FullPrecision(), seed=seed, **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCenteredSAGA(Trainer):
    """HALP's iterate with SAGA's gradient: bit centering at one gradient a step.

        z ← Q_(δ,b)(z − α v),   v = (∇f_i(w̃ + z) − a T_i) + a T̄,   T_i ← ∇f_i(w̃ + z)
        at a snapshot   w̃ ← w̃ + z,  δ from ‖T̄‖ or as ``mu`` says,  z ← 0

    The table of gradients stands in for the full gradient. Before it is filled, in the first pass,
    v is a minibatch's gradient, and the range of z is found from the first step.

    Args:
        word_bits, mu, scale, rounding, format, snapshot_every, iterate: of the offset, as for
            ``BitCentered``.
        further arguments: as for ``SAGA``.
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
        table: str = "epoch",
        coefficient: float | str | LearningRateSchedule = 1.0,
        table_format: int | Format | str | Mapping | None = None,
        draws: str = "locked",
        table_packed: bool = False,
        table_folder: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        estimator = GradientTable(
            table, coefficient, table_format, draws, table_packed, table_folder
        )
        bit_centered = BitCentered(
            word_bits, mu, scale, format, rounding, snapshot_every, iterate=iterate
        )
        super().__init__(model, estimator=estimator, iterate=bit_centered, seed=seed, **kwargs)
