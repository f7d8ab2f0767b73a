"""Tied weights: another layer that reads a quantized layer's weight W in its call gets Q(W).

A projection onto the words of an embedding reads `embedding.embeddings` in its call. It gets Q(W),
as every forward pass does, with a gradient to W. The same holds for every weight with a role that
is a public attribute of a quantized layer. All other code, which sets, saves or trains the weight,
gets the variable W. So does `layer.weights` everywhere.

The random bits are those of a call of the layer in inference, with its current counter.
"""

import functools
import inspect
from typing import Any

import keras
import tensorflow as tf

from tq_halp.keras_internals.call_context import call_record, close_call_record
from tq_halp.layers.lora import updates_of
from tq_halp.layers.variable_substitution import is_calling, names_of, weights_of
from tq_halp.mixin_typing import MixinBase

# Keras' properties for a weight together with its LoRA update.
NAMES = ("kernel", "embeddings")


class ReadInCalls(MixinBase):
    """Mixin before a layer class: other layers read its weights as Q(W)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, keras.Variable) and not name.startswith("_"):
            own = inspect.getattr_static(type(self), name, None)
            if not hasattr(own, "__set__"):
                setattr(type(self), name, _Weight(name))
        super().__setattr__(name, value)


class _Weight:
    """A descriptor for an attribute that is a weight in some layers of the class."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: keras.Layer | None, layer_class: type | None = None) -> Any:
        if layer is None:
            return self
        if self.name not in vars(layer):
            raise AttributeError(f"{type(layer).__name__!r} object has no attribute {self.name!r}")
        value = vars(layer)[self.name]
        is_weight = isinstance(value, keras.Variable)
        return quantized(layer, value, value) if is_weight and is_read_in_a_call(layer) else value

    def __set__(self, layer: keras.Layer, value: Any) -> None:
        vars(layer)[self.name] = value

    def __delete__(self, layer: keras.Layer) -> None:
        del vars(layer)[self.name]


def read_properties(keras_class: type) -> dict[str, property]:
    """{name: property of the quantized class}, from the properties of its Keras class."""
    found = {name: inspect.getattr_static(keras_class, name, None) for name in NAMES}
    return {n: _property(n, own) for n, own in found.items() if isinstance(own, property)}


def is_read_in_a_call(layer: keras.Layer) -> bool:
    """Whether, in this thread, the call of another layer is under way."""
    if is_calling(layer):
        return False
    probe = _probe()
    entry = call_record(probe).entry_layer
    close_call_record(probe)
    return entry is not probe and entry is not layer


def quantized(
    layer: keras.Layer, variable: keras.Variable, weight: keras.Variable | tf.Tensor
) -> keras.Variable | tf.Tensor:
    """Q(W) of a quantized layer's variable W. `weight` is W or, with a LoRA update, the sum."""
    layer = layer.quantizer_source() or layer
    role = layer.role_of(variable)
    if not layer.changes(role):
        return weight
    weights = weights_of(layer)
    names = dict(zip(map(id, weights), names_of(weights), strict=True))
    if id(variable) not in names:
        return weight
    counter = layer.rounding_counter.start_call(training=False) if layer.rounding_counter else 0
    for update in updates_of(layer):
        if update.weight is variable:
            return layer.merged(update, names, counter)
        if variable is update.a or variable is update.b:
            return weight  # not a weight by itself: the product is part of one
    weight = keras.ops.cast(weight, layer.compute_dtype)
    return layer._weight(role, names[id(variable)], weight, counter)


def _property(name: str, own: property) -> property:
    def read(layer: keras.Layer) -> keras.Variable | tf.Tensor:
        weight = own.__get__(layer)
        if not is_read_in_a_call(layer):
            return weight
        variable = next(each for each in layer.weights if each.name == name)
        return quantized(layer, variable, weight)

    return property(read, doc=own.__doc__)


@functools.cache
def _probe() -> keras.Layer:
    """A layer that is never called, only asked which layer's call is under way."""
    return keras.layers.Layer(name="probe")
