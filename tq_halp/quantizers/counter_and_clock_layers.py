"""The sublayers that hold the state of quantized layers: call counters and training clocks."""

import keras

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock


def is_bookkeeping(layer: keras.Layer) -> bool:
    """Whether a layer is a `CallCounter` or a `TrainingClock`, which compute nothing."""
    return isinstance(layer, (CallCounter, TrainingClock))


def bookkeeping_variables(layer: keras.Layer) -> set[int]:
    """The `id`s of the variables of counters and clocks in a layer or a model."""
    kept = filter(is_bookkeeping, flatten_layers(layer))
    return {id(variable) for each in kept for variable in each.variables}
