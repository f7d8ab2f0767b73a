"""Copying the state of a model to its copy: variables, vocabularies and other learned state.

Most state is in variables. Layers with other state define how to save and load it
(`save_own_variables`, `save_assets` and their inverses), and it is copied in this way.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.layers.keras_class_table import quantized_class
from tq_halp.layers.lora import copy_update
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.quantization_map.layer_tree import children
from tq_halp.quantizers.counter_and_clock_layers import bookkeeping_variables


def copy_state(source: keras.Model, copy: keras.Model) -> None:
    """Copies all state from a model to its copy.

    Raises:
        InputError: the layers or variables differ, or a layer cannot load the state that it saved.
    """
    copy_learned(source, copy)
    old, new = _variables(source), _variables(copy)
    if [tuple(variable.shape) for variable in old] != [tuple(variable.shape) for variable in new]:
        raise _differs(source, f"{len(new)} variables instead of {len(old)}, or others")
    for variable, copied in zip(old, new, strict=True):
        copied.assign(variable)
    settle(copy)


def copy_learned(source: keras.Layer, copy: keras.Layer) -> None:
    """Copies the state that layers save by methods of their own to a built copy.

    Raises:
        InputError: the layers differ, or a layer cannot load the state that it saved.
    """
    for old, new in _pairs(source, copy, set()):
        _copy_own(old, new)


def settle(model: keras.Model) -> None:
    """Updates what layers derive from their variables, after these were set from outside.

    `Normalization` derives mean and variance from its variables only when it loads them.
    """
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _pairs(
    old: keras.Layer, new: keras.Layer, seen: set[int]
) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Pairs of a layer and its copy, each once."""
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
    """The layers of the source in the attributes in which the copy has `copied`.

    `LSTM(3, activation=a, recurrent_activation=a)` has one layer, its copy has two.
    """
    names = {id(layer): name for name, layer in vars(new).items()}
    found = [vars(old).get(names.get(id(layer))) for layer in copied]
    return [layer for layer in found if isinstance(layer, keras.layers.Layer)]


def _wrapped(layer: keras.Layer) -> keras.Layer:
    return _wrapped(layer.layer) if isinstance(layer, QuantLayer) else layer


def _copy_own(old: keras.Layer, new: keras.Layer) -> None:
    """Copies a layer's own state by its methods for saving and loading."""
    copy_update(old, new)
    if quantized_class(type(old)) is not None:
        return  # its state is in its variables
    try:
        if type(old).load_own_variables is not keras.Layer.load_own_variables:
            store = _Store()
            old.save_own_variables(store)
            new.load_own_variables(store)
        if hasattr(old, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
    except Exception as error:  # raised by the user's code
        raise InputError(
            f"{old.name} ({type(old).__name__}) cannot be copied: it does not load in a copy what "
            f"it saves of its state. Received: {error}"
        ) from error


class _Store(dict):
    """A store of arrays, as Keras' files are."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, np.asarray(keras.ops.convert_to_numpy(value)))


def _variables(layer: keras.Layer) -> list[keras.Variable]:
    """All variables, without the counters and clocks of quantized layers."""
    extra = bookkeeping_variables(layer)
    return [variable for variable in layer.variables if id(variable) not in extra]


def _differs(layer: keras.Layer, received: str) -> InputError:
    return InputError(
        f"{layer.name} ({type(layer).__name__}) cannot be copied: built again it has {received}; "
        "build the model inside QuantizationMap.scope()"
    )
