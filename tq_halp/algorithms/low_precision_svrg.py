"""SVRG on a fixed grid: how far variance reduction gets without bit centering."""

import keras

from tq_halp.algorithms.fixed_grid import FixedGridMixin
from tq_halp.algorithms.svrg import SVRG


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSVRG(FixedGridMixin, SVRG):
    """LP-SVRG: SVRG whose iterate lives on a fixed grid, w ← Q_(δ,b)(w − α v).

    It converges linearly, but only to a ball of radius O(δ): E[f(w̃) − f*] is bounded by
    2dδ²L/(γ(1−γ)) (De Sa et al., arXiv 1803.03383, Theorem 1).

    Args:
        model: any Keras model.
        format: of the weights; one that does not move, its name or its mapping.
        snapshot_every, iterate, draws, seed: as for ``SVRG``.
        rounding: of the update; default "stochastic".
    """

    host_state = (*SVRG.host_state, "_saturated_epochs")
