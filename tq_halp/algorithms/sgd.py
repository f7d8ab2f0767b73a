"""SGD and its low-precision form, the two baselines."""

import keras

from tq_halp.algorithms.base import TrainingAlgorithm
from tq_halp.algorithms.fixed_grid import FixedGridMixin


@keras.saving.register_keras_serializable(package="tq_halp")
class SGD(TrainingAlgorithm):
    """Plain minibatch training: w ← optimizer(w, ∇f_i(w)), exactly what Keras does itself.

    It exists so that the baseline runs through the same loop and logs the same numbers.

    Args:
        model: any Keras model.
        seed: unused by the arithmetic; kept so that all algorithms are built alike.
    """


@keras.saving.register_keras_serializable(package="tq_halp")
class LowPrecisionSGD(FixedGridMixin, SGD):
    """LP-SGD: w ← Q_(δ,b)(optimizer(w, ∇f_i(w))) on a fixed grid; no full-precision copy is kept.

    Its error has a floor that no learning rate removes: stochastic rounding of a step s < δ has
    variance |s|(δ − |s|) (De Sa et al., arXiv 1803.03383).

    Args:
        model: any Keras model.
        format: of the weights; one that does not move, its name or its mapping.
        rounding: of the update; default "stochastic".
        seed: key of the random bits.
    """

    host_state = (*SGD.host_state, "_saturated_epochs")
