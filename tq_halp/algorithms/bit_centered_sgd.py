"""Bit-centered SGD: HALP's moving grid without variance reduction.

    z ← Q_(δ,b)(z − α ∇f_i(w̃ + z));   at a snapshot   w̃ ← w̃ + z,  δ from ‖g̃‖,  z ← 0

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, without the correction of
its Algorithm 3: what the grid does alone. A step costs one gradient, as a step of SGD; g̃ is there
for the scale only, for which that of a part of the data will do.
"""

import keras

from tq_halp.algorithms.halp import HALP
from tq_halp.errors import InputError

_OF_THE_CORRECTION = ("coefficient", "start_after", "draws", "variance_ratio")


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCenteredSGD(HALP):
    """Plain minibatch steps of a b-bit offset z from a full-precision center.

    Args:
        model: any Keras model.
        snapshot_fraction: as for ``SVRG``; 1 where batches cannot be picked out of the data.
        further options: as for ``HALP``, without ``coefficient``, ``start_after``,
            ``draws`` and ``variance_ratio``.

    Raises:
        ValueError: an argument is not what ``HALP`` takes, or is one of these four.
    """

    def __init__(self, model, *, snapshot_fraction=0.1, **kwargs):
        for name in _OF_THE_CORRECTION:
            if name in kwargs:
                raise InputError(
                    f"{name} must be left out of BitCenteredSGD, which has no variance reduction. "
                    f"Received: {kwargs[name]!r}"
                )
        super().__init__(model, coefficient=0.0, snapshot_fraction=snapshot_fraction, **kwargs)

    def get_config(self):
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in _OF_THE_CORRECTION}
