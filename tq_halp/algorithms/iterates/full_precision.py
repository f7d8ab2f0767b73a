"""``FullPrecision``: weights in the floating-point type of the model."""

import keras

from tq_halp.algorithms.algorithm_part import Iterate


@keras.saving.register_keras_serializable(package="tq_halp")
class FullPrecision(Iterate):
    """w stays where the optimizer puts it."""
