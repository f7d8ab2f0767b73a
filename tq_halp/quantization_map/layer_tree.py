"""The layers of a model that are quantized as a whole, each with its path, and what holds them."""

import dataclasses
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.mixin_base import MixinBase
from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.layers.quantized_classes import QUANTIZED, quantized_class
from tq_halp.layers.quantized_layer import QuantizedLayer
from tq_halp.quantizers.state_layers import is_bookkeeping


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A layer that is quantized as a whole. One that two models share has several paths.

    A layer that holds others, with weights of its own beside them, is listed too: `has_layers`.
    """

    paths: tuple[str, ...]
    layer_class: type
    has_weights: bool
    has_layers: bool = False
    weights: tuple = ()  # the variables, where known
    plain_class: type | None = None  # what `layer_class` was before it was quantized; None: itself

    @property
    def path(self) -> str:
        return self.paths[0]

    @property
    def class_name(self) -> str:
        return (self.plain_class or self.layer_class).__name__

    def __str__(self) -> str:
        return f"{self.path} ({self.class_name})"


def find_leaves(model: Any) -> list[tuple[keras.Layer, Leaf]]:
    """The leaves of a model in the order in which it holds them, each once.

    A leaf is a layer that has a quantized class, or one that holds no other layer. The path of a
    layer is its name after the names of the layers and models that hold it.

    Raises:
        InputError: no Keras model, one without layers or weights yet, or one that Keras quantized.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"model must be a Keras model. Received: {model!r}")
    if not model.built:
        raise InputError(
            f"model {model.name!r} is not built: start it with keras.Input(shape), or call it on "
            "data once"
        )
    for layer in model._flatten_layers():
        _check_is_float(layer)
    found: dict[int, tuple[keras.Layer, list[str]]] = {}
    if own_variables(model):
        found[id(model)] = (model, [model.name])
    _walk(model, "", found)
    return [(layer, _leaf(layer, tuple(paths))) for layer, paths in found.values()]


def _check_is_float(layer: keras.Layer) -> None:
    """Not one whose weights Keras has replaced by integers and scales: nothing is to be rounded."""
    mode = getattr(layer, "quantization_mode", None)
    if mode is not None:
        raise InputError(
            f"layer {layer.name!r} ({type(layer).__name__}) is quantized by Keras ({mode}) already"
            ": a map takes the model as it was before Keras' quantize, with a floating-point policy"
        )


def children(layer: keras.Layer) -> list[keras.Layer]:
    """The layers that a layer holds itself, in the order in which it got them."""
    if isinstance(layer, keras.Sequential):
        return layer.layers
    held = layer._flatten_layers(include_self=False, recursive=False)
    if isinstance(layer, keras.Function):  # the order of the graph, then what is beside it
        held = list(dict.fromkeys([*layer.layers, *held]))
    return [child for child in held if not is_bookkeeping(child)]


def is_leaf(layer: keras.Layer) -> bool:
    """Whether a layer is one of those that are quantized as a whole."""
    known = isinstance(layer, QuantizedLayer) or quantized_class(type(layer)) is not None
    held = children(layer)
    if known or not held:
        return True
    # What stands for a cell of a user's own class would be no cell.
    is_of_cells = isinstance(layer, (keras.layers.RNN, keras.layers.StackedRNNCells))
    return is_of_cells and any(is_leaf(cell) and not _has_twin(cell) for cell in held)


def _has_twin(layer: keras.Layer) -> bool:
    return quantized_class(type(layer)) is not None


class Rebuilt(MixinBase):
    """Mixin before the class of a layer or model that was built again, with quantized layers."""

    def get_build_config(self) -> None:
        return None  # it builds itself when it is loaded


def plain_class(layer: keras.Layer) -> type:
    """The class of a layer without what quantization made of it."""
    if isinstance(layer, QuantLayer):
        return type(layer.layer)
    if isinstance(layer, Rebuilt):
        classes = (each for each in type(layer).__mro__ if issubclass(each, keras.Layer))
        return next(each for each in classes if not issubclass(each, Rebuilt))
    if isinstance(layer, QuantizedLayer) and type(layer) in QUANTIZED.values():
        return next(plain for plain, twin in QUANTIZED.items() if twin is type(layer))
    return type(layer)


def own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """The weights of a layer that are none of its layers' weights."""
    held = {id(variable) for child in children(layer) for variable in child.weights}
    return [variable for variable in layer.weights if id(variable) not in held]


def _walk(layer: keras.Layer, prefix: str, found: dict[int, tuple[keras.Layer, list[str]]]) -> None:
    for child in children(layer):
        path = prefix + child.name
        if is_leaf(child) or own_variables(child):
            found.setdefault(id(child), (child, []))[1].append(path)
        if not is_leaf(child):
            _walk(child, f"{path}/", found)


def _leaf(layer: keras.Layer, paths: tuple[str, ...]) -> Leaf:
    has_layers = not is_leaf(layer)
    weights = own_variables(layer) if has_layers else layer.weights
    return Leaf(paths, type(layer), bool(weights), has_layers, tuple(weights), plain_class(layer))
