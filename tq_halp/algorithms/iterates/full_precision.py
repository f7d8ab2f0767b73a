"""Weights in the floating point that the model has."""

import keras

from tq_halp.algorithms.part import Iterate


@keras.saving.register_keras_serializable(package="tq_halp")
class FullPrecision(Iterate):
    """w stays where the optimizer puts it."""
