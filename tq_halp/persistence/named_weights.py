"""The weights of a model by name, each with the quantizer that its layer applies."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import is_autocast
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.variable_substitution import names_of, weights_of
from tq_halp.quantization_map.layer_tree import Leaf, find_leaves
from tq_halp.quantizers import Quantizer, ScheduledQuantizer
from tq_halp.quantizers.counter_and_clock_layers import bookkeeping_variables


@dataclasses.dataclass(frozen=True)
class Weight:
    """A variable that is a weight, and how its layer quantizes it."""

    name: str  # "<path of the layer>/<variable>"; the second of a name "<...>/1" and so on
    variable: keras.Variable
    layer: keras.Layer
    tensor: str  # last part of the name; random bits depend on it
    role: str | None = None
    quantizer: Quantizer | None = None  # None: not quantized
    counter: int = 0  # random bits depend on it too

    def quantized(self) -> tuple[np.ndarray, float | None]:
        """The numbers with which the layer computes in inference, and the dynamic-range step.

        The numbers are in the layer's compute dtype. The step is None if the format fixes it.
        """
        if self.quantizer is None:
            return np.asarray(self.variable.value), None
        x = tf.convert_to_tensor(self.variable.value)
        if self.layer.autocast and is_autocast(self.variable):
            x = tf.cast(x, self.layer.compute_dtype)
        step = self.quantizer.scale(x)
        numbers = self.quantizer.derive(f"{self.layer.name}/{self.tensor}")(x, self.counter)
        return numbers.numpy(), None if step is None else float(step)


def weights_by_name(model: keras.Model) -> dict[str, Weight]:
    """The weights of a model in the order of its layers, without counters and clocks.

    Raises:
        InputError: `model` is not a built Keras model, or two of its layers have the same path.
    """
    found = {}
    for layer, leaf in find_leaves(model):
        for weight in _weights_of(layer, leaf):
            if weight.name in found:
                raise InputError(
                    f"model {model.name!r} has two layers called {leaf.path!r}, so their weights "
                    "have no names of their own: rename one"
                )
            found[weight.name] = weight
    return found


def _weights_of(layer: keras.Layer, leaf: Leaf) -> Iterator[Weight]:
    own = {id(variable) for variable in leaf.weights} - bookkeeping_variables(layer)
    # Trainable weights first: a layer numbers only these for the names of its random bits.
    trained = [variable for variable in weights_of(layer) if id(variable) in own]
    rest = [v for v in leaf.weights if id(v) in own and not any(v is each for each in trained)]
    ordered = [*trained, *rest]
    for index, (variable, tensor) in enumerate(zip(ordered, names_of(ordered), strict=True)):
        weight = Weight(f"{leaf.path}/{tensor}", variable, layer, tensor)
        if isinstance(layer, QuantizedLayer) and index < len(trained):
            weight = dataclasses.replace(weight, **_decided(layer, variable))
        yield weight


def _decided(layer: keras.Layer, variable: keras.Variable) -> dict[str, Any]:
    """Role, current quantizer and counter of a weight of a quantized layer."""
    role = layer.role_of(variable)
    quantizer = layer.quantizers.get(role)
    if isinstance(quantizer, ScheduledQuantizer):
        quantizer = quantizer.at(int(layer.clock.now(quantizer.unit)))
    if quantizer is None:
        return {}
    counter = layer.rounding_counter.start_call(training=False) if quantizer.stochastic else 0
    return {"role": role, "quantizer": quantizer, "counter": int(counter)}
