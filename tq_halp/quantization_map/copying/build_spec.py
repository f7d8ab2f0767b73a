"""What the copy of a layer must come out as: the layers in it, their names and their shapes."""

from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.quantization_map.layer_tree import Rebuilt, children, is_leaf, plain_class

_DEFAULT_BUILDS = (keras.Layer.build, keras.Model.build)


def draw(layer: keras.Layer) -> dict:
    """The blueprint of a layer, what JSON can hold: class, name, how it was built, its layers."""
    drawing = {
        "class": plain_class(layer).__name__,
        "name": layer.name,
        "trainable": layer.trainable,
        "dtype": layer.dtype_policy.name,
        "built": layer.built,
        "build_config": keras.saving.serialize_keras_object(_build_config(layer)),
    }
    if not is_leaf(layer):
        drawing["layers"] = [draw(child) for child in children(layer)]
    return drawing


def finish(layer: keras.Layer, drawing: dict) -> list[keras.Layer]:
    """Names and builds a layer that comes fresh from its constructor, and all that are in it.

    Every layer is built by itself from the shapes that it took in the source, so that no `call`
    needs to run. Returns the layers in the order in which the blueprint has them.

    Raises:
        InputError: the layers in it are not those of the blueprint, or one cannot be built.
    """
    if plain_class(layer).__name__ != drawing["class"]:
        raise _differs(drawing, f"of class {plain_class(layer).__name__}")
    layer.name = drawing["name"]
    layer.trainable = drawing["trainable"]
    if layer.dtype_policy.name != drawing["dtype"]:
        layer.dtype_policy = drawing["dtype"]
    inner = drawing.get("layers")
    if drawing["built"] and not layer.built and (inner is None or _has_build(layer)):
        _build(_wrapped(layer), drawing)
    done = [layer]
    if inner is not None:
        held = children(layer)
        if len(held) != len(inner):
            names = ", ".join(child.name for child in held)
            raise _differs(drawing, f"with {len(held)} layers instead of {len(inner)}: {names}")
        with layer._open_name_scope():  # as a call does, for the paths of the variables
            for child, each in zip(held, inner, strict=True):
                done += finish(child, each)
    if drawing["built"]:
        layer.built = True
    return done


def in_order(layer: keras.Layer) -> list[keras.Layer]:
    """A layer and those in it, in the order in which its blueprint has them."""
    if is_leaf(layer):
        return [layer]
    return [layer, *(each for child in children(layer) for each in in_order(child))]


def _build_config(layer: keras.Layer) -> dict[str, Any] | None:
    if isinstance(layer, Rebuilt):  # which keeps it from Keras, since it builds itself
        return super(Rebuilt, layer).get_build_config()
    return _wrapped(layer).get_build_config()


def _wrapped(layer: keras.Layer) -> keras.Layer:
    return layer.layer if isinstance(layer, QuantLayer) else layer


def _has_build(layer: keras.Layer) -> bool:
    return type(layer).build not in _DEFAULT_BUILDS


def _build(layer: keras.Layer, drawing: dict[str, Any]) -> None:
    config = drawing["build_config"]
    try:
        if type(layer).build_from_config not in (
            keras.Layer.build_from_config,
            keras.Model.build_from_config,  # which keeps errors to itself
        ):
            layer.build_from_config(config)
        elif config and "input_shape" in config:
            layer.build(config["input_shape"])
        elif config:
            layer.build(**config["shapes_dict"])
    except Exception as error:  # of the user's own code
        raise InputError(
            f"{drawing['name']} ({drawing['class']}) cannot be built again from the shapes that "
            f"it was built with, {config}: {error}"
        ) from error


def _differs(drawing: dict[str, Any], received: str) -> InputError:
    return InputError(
        f"{drawing['name']} ({drawing['class']}) comes out {received} when it is built again from "
        "its configuration; its constructor must build the same layers each time, or build the "
        "model inside QuantizationMap.scope()"
    )
