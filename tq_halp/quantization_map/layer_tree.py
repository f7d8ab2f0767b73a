"""The tree of a model's layers: paths, and leaves, which are the layers quantized as units."""

import dataclasses
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.layers.keras_class_table import QUANTIZED, quantized_class
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.mixin_typing import MixinBase
from tq_halp.quantizers.counter_and_clock_layers import is_bookkeeping


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A layer that is quantized as a unit. A layer that two models share has several paths.

    A layer that holds others is listed too, with `has_layers`, if it has weights of its own.
    """

    paths: tuple[str, ...]
    layer_class: type
    has_weights: bool
    has_layers: bool = False
    weights: tuple = ()  # the variables, where known
    plain_class: type | None = None  # `layer_class` before quantization; None: the same

    @property
    def path(self) -> str:
        """The first path."""
        return self.paths[0]

    @property
    def class_name(self) -> str:
        """The name of the class before quantization, which rules match."""
        return (self.plain_class or self.layer_class).__name__

    def __str__(self) -> str:
        return f"{self.path} ({self.class_name})"


def find_leaves(model: Any) -> list[tuple[keras.Layer, Leaf]]:
    """The leaves of a model, each once, in the order of the model.

    A leaf is a layer that has a quantized class or holds no other layer. The path of a layer is
    "outer/inner/name": its name, after the names of the models and layers that hold it.

    Raises:
        InputError: `model` is not a Keras model, is not built, or was quantized by Keras.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"model must be a Keras model. Received: {model!r}")
    if not model.built:
        raise InputError(
            f"model {model.name!r} is not built: start it with keras.Input(shape), or call it on "
            "data once"
        )
    for layer in flatten_layers(model):
        _check_is_float(layer)
    found: dict[int, tuple[keras.Layer, list[str]]] = {}
    if own_variables(model):
        found[id(model)] = (model, [model.name])
    _walk(model, "", found)
    return [(layer, _leaf(layer, tuple(paths))) for layer, paths in found.values()]


def _check_is_float(layer: keras.Layer) -> None:
    """Raises InputError for a layer whose weights Keras has replaced by integers and scales."""
    mode = getattr(layer, "quantization_mode", None)
    if mode is not None:
        raise InputError(
            f"layer {layer.name!r} ({type(layer).__name__}) is quantized by Keras ({mode}) already"
            ": a map takes the model as it was before Keras' quantize, with a floating-point policy"
        )


def children(layer: keras.Layer) -> list[keras.Layer]:
    """The layers that a layer holds directly, in the order in which they were added."""
    if isinstance(layer, keras.Sequential):
        return layer.layers
    held = flatten_layers(layer, include_self=False, recursive=False)
    if isinstance(layer, keras.Function):  # in the order of the graph, then the rest
        held = list(dict.fromkeys([*layer.layers, *held]))
    return [child for child in held if not is_bookkeeping(child)]


def is_leaf(layer: keras.Layer) -> bool:
    """Whether a layer is quantized as a unit."""
    known = isinstance(layer, QuantizedLayer) or quantized_class(type(layer)) is not None
    held = children(layer)
    if known or not held:
        return True
    # A user's cell cannot be wrapped: a `QuantLayer` is not a cell.
    is_of_cells = isinstance(layer, (keras.layers.RNN, keras.layers.StackedRNNCells))
    return is_of_cells and any(is_leaf(cell) and not _has_quantized_class(cell) for cell in held)


def _has_quantized_class(layer: keras.Layer) -> bool:
    return quantized_class(type(layer)) is not None


class Rebuilt(MixinBase):
    """Mixin before the class of a rebuilt layer or model, which builds its layers quantized."""

    def get_build_config(self) -> None:
        return None  # loading builds it anyway


def plain_class(layer: keras.Layer) -> type:
    """The class that a layer had before quantization."""
    if isinstance(layer, QuantLayer):
        return type(layer.layer)
    if isinstance(layer, Rebuilt):
        classes = (each for each in type(layer).__mro__ if issubclass(each, keras.Layer))
        return next(each for each in classes if not issubclass(each, Rebuilt))
    if isinstance(layer, QuantizedLayer) and type(layer) in QUANTIZED.values():
        return next(plain for plain, known in QUANTIZED.items() if known is type(layer))
    return type(layer)


def own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """The weights of a layer that do not belong to the layers that it holds."""
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
