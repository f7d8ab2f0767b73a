"""The layers that quantized layers have on top of their Keras parents: counts and clocks."""

import keras

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock


def is_bookkeeping(layer: keras.Layer) -> bool:
    """Whether a layer computes nothing, but keeps a count or the time for another."""
    return isinstance(layer, (CallCounter, TrainingClock))


def bookkeeping_variables(layer: keras.Layer) -> set[int]:
    """The ids of the variables of such layers in a layer or a model."""
    kept = filter(is_bookkeeping, flatten_layers(layer))
    return {id(variable) for each in kept for variable in each.variables}
