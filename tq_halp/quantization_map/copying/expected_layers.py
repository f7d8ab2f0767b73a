"""Build specifications of layers: the class, name, shapes and sublayers that a copy must have."""

from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import name_scope
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.quantization_map.layer_tree import Rebuilt, children, is_leaf, plain_class

_DEFAULT_BUILDS = (keras.Layer.build, keras.Model.build)


def describe(layer: keras.Layer) -> dict:
    """The build specification of a layer, data for JSON: class, name, build shapes, sublayers."""
    spec = {
        "class": plain_class(layer).__name__,
        "name": layer.name,
        "trainable": layer.trainable,
        "dtype": layer.dtype_policy.name,
        "built": layer.built,
        "build_config": keras.saving.serialize_keras_object(_build_config(layer)),
    }
    if not is_leaf(layer):
        spec["layers"] = [describe(child) for child in children(layer)]
    return spec


def finish(layer: keras.Layer, spec: dict) -> list[keras.Layer]:
    """Names and builds a newly constructed layer and its sublayers.

    Every layer is built by itself, from the input shapes of its source, so that no `call` runs.

    Args:
        layer: the new layer.
        spec: from `describe` of its source.

    Returns:
        The layer and its sublayers, in the order of the specification.

    Raises:
        InputError: the sublayers are not those of the specification, or one cannot be built.
    """
    if plain_class(layer).__name__ != spec["class"]:
        raise _differs(spec, f"of class {plain_class(layer).__name__}")
    layer.name = spec["name"]
    layer.trainable = spec["trainable"]
    if layer.dtype_policy.name != spec["dtype"]:
        layer.dtype_policy = spec["dtype"]
    inner = spec.get("layers")
    if spec["built"] and not layer.built and (inner is None or _has_build(layer)):
        _build(_wrapped(layer), spec)
    done = [layer]
    if inner is not None:
        held = children(layer)
        if len(held) != len(inner):
            names = ", ".join(child.name for child in held)
            raise _differs(spec, f"with {len(held)} layers instead of {len(inner)}: {names}")
        with name_scope(layer):  # as in a call, for the paths of the variables
            for child, each in zip(held, inner, strict=True):
                done += finish(child, each)
    if spec["built"]:
        layer.built = True
    return done


def in_order(layer: keras.Layer) -> list[keras.Layer]:
    """A layer and its sublayers, in the order of its specification."""
    if is_leaf(layer):
        return [layer]
    return [layer, *(each for child in children(layer) for each in in_order(child))]


def _build_config(layer: keras.Layer) -> dict[str, Any] | None:
    if isinstance(layer, Rebuilt):  # its own method returns None
        return super(Rebuilt, layer).get_build_config()
    return _wrapped(layer).get_build_config()


def _wrapped(layer: keras.Layer) -> keras.Layer:
    return layer.layer if isinstance(layer, QuantLayer) else layer


def _has_build(layer: keras.Layer) -> bool:
    return type(layer).build not in _DEFAULT_BUILDS


def _build(layer: keras.Layer, spec: dict[str, Any]) -> None:
    config = spec["build_config"]
    try:
        if type(layer).build_from_config not in (
            keras.Layer.build_from_config,
            keras.Model.build_from_config,  # it would hide errors
        ):
            layer.build_from_config(config)
        elif config and "input_shape" in config:
            layer.build(config["input_shape"])
        elif config:
            layer.build(**config["shapes_dict"])
    except Exception as error:  # raised by the user's code
        raise InputError(
            f"{spec['name']} ({spec['class']}) cannot be built again from the shapes that "
            f"it was built with, {config}: {error}"
        ) from error


def _differs(spec: dict[str, Any], received: str) -> InputError:
    return InputError(
        f"{spec['name']} ({spec['class']}) comes out {received} when it is built again from "
        "its configuration; its constructor must build the same layers each time, or build the "
        "model inside QuantizationMap.scope()"
    )
