"""Plain Keras models, in floating point. A map or an algorithm makes them low-precision."""

from tq_halp.models.language import lstm_language_model
from tq_halp.models.linear import HalfMeanSquaredError, linear, linear_classifier
from tq_halp.models.resnet import resnet
from tq_halp.models.weight_decay import WeightDecay

__all__ = [
    "HalfMeanSquaredError",
    "WeightDecay",
    "linear",
    "linear_classifier",
    "lstm_language_model",
    "resnet",
]
