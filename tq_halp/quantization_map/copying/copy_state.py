"""What a copy of a model has to get from its source: variables, vocabularies, all that is learned.

Most of it is in variables. A layer with a state of another kind says how it is saved and loaded
(`save_own_variables`, `save_assets` and their inverses), which is how it is carried over.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tq_halp.errors import InputError
from tq_halp.layers.lora import copy_update
from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.layers.quantized_classes import quantized_class
from tq_halp.quantization_map.layer_tree import children
from tq_halp.quantizers.state_layers import bookkeeping_variables


def copy_state(source: keras.Model, copy: keras.Model) -> None:
    """Gives a copy the state of its source.

    Raises:
        InputError: the copy is not like the source, or a layer cannot load what it has saved.
    """
    copy_learned(source, copy)
    old, new = _variables(source), _variables(copy)
    if [tuple(variable.shape) for variable in old] != [tuple(variable.shape) for variable in new]:
        raise _differs(source, f"{len(new)} variables instead of {len(old)}, or others")
    for variable, copied in zip(old, new, strict=True):
        copied.assign(variable)
    settle(copy)


def copy_learned(source: keras.Layer, copy: keras.Layer) -> None:
    """Gives the copy of a layer, a built one, what the layers in it save in ways of their own.

    Raises:
        InputError: the copy is not like the source, or a layer cannot load what it has saved.
    """
    for old, new in _pairs(source, copy, set()):
        _copy_own(old, new)


def settle(model: keras.Model) -> None:
    """Have layers whose variables were set from outside compute with their new values.

    Normalization derives numbers from its variables, and does so anew only when it loads them.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _pairs(
    old: keras.Layer, new: keras.Layer, seen: set[int]
) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Each layer and its copy, once."""
    old, new = _wrapped(old), _wrapped(new)
    if id(old) in seen:
        return
    seen.add(id(old))
    yield old, new
    inside, copied = children(old), children(new)
    if len(inside) < len(copied):
        inside = _held_as(old, new, copied)
    if len(inside) != len(copied):
        raise _differs(old, f"{len(copied)} layers instead of {len(inside)}")
    for layer, copy in zip(inside, copied, strict=True):
        yield from _pairs(layer, copy, seen)


def _held_as(
    old: keras.Layer, new: keras.Layer, copied: Sequence[keras.Layer]
) -> list[keras.Layer]:
    """What the source holds in the attributes of those layers: one may stand in several there.

    `LSTM(3, activation=a, recurrent_activation=a)` has one, the copy made of its configuration two.
    """
    names = {id(layer): name for name, layer in vars(new).items()}
    found = [vars(old).get(names.get(id(layer))) for layer in copied]
    return [layer for layer in found if isinstance(layer, keras.layers.Layer)]


def _wrapped(layer: keras.Layer) -> keras.Layer:
    return _wrapped(layer.layer) if isinstance(layer, QuantLayer) else layer


def _copy_own(old: keras.Layer, new: keras.Layer) -> None:
    """By the layer's own way to be saved and loaded."""
    copy_update(old, new)
    if quantized_class(type(old)) is not None:
        return  # all its state is in its variables
    try:
        if type(old).load_own_variables is not keras.Layer.load_own_variables:
            store = _Store()
            old.save_own_variables(store)
            new.load_own_variables(store)
        if hasattr(old, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
    except Exception as error:  # of the user's own code
        raise InputError(
            f"{old.name} ({type(old).__name__}) cannot be copied: it does not load in a copy what "
            f"it saves of its state. Received: {error}"
        ) from error


class _Store(dict):
    """Holds arrays, as a file does."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, np.asarray(keras.ops.convert_to_numpy(value)))


def _variables(layer: keras.Layer) -> list[keras.Variable]:
    """All variables but those that quantized layers have on top of their Keras parents."""
    extra = bookkeeping_variables(layer)
    return [variable for variable in layer.variables if id(variable) not in extra]


def _differs(layer: keras.Layer, received: str) -> InputError:
    return InputError(
        f"{layer.name} ({type(layer).__name__}) cannot be copied: built again it has {received}; "
        "build the model inside QuantizationMap.scope()"
    )
