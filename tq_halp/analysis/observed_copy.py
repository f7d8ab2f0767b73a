"""A copy of a model whose layers show every tensor that could be quantized to an observer."""

import re
from collections.abc import Iterable
from typing import Any

import keras

from tq_halp import formats
from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.quantization_map.copying.apply_map import apply
from tq_halp.quantization_map.layer_tree import find_leaves
from tq_halp.quantization_map.rules.matching import target_class
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.quantizers import Quantizer, ScheduledQuantizer

# Stands for "not quantized": it leaves float32, float16 and bfloat16 unchanged, infinities too.
FLOAT = Quantizer(formats.get("float32"), overflow="infinity")


def observable_copy(model: keras.Model) -> keras.Model:
    """A copy of a built model that takes the same next training step, random bits included.

    A tensor with a quantizer keeps it (of a schedule, the current stage). Every other tensor gets
    `FLOAT`. RNNs are unrolled, because Keras' loop over time calls the cell once too often.

    Raises:
        InputError: the model is not built, or cannot be copied.
    """
    leaves = find_leaves(model)
    rules = [
        Rule(
            layers=re.compile("|".join(map(re.escape, leaf.paths))),
            quantizers=_complete(layer, target.roles),
            optional=True,
            number=number,
            where=f"report on {model.name}",
        )
        for number, (layer, leaf) in enumerate(leaves, start=1)
        if (target := target_class(leaf)) is not None
    ]
    observable = apply(model, rules)
    for (layer, _), (copied, _) in zip(leaves, find_leaves(observable), strict=True):
        counter = getattr(layer, "rounding_counter", None)
        if counter is not None:
            copied.rounding_counter.calls.assign(counter.calls)
    for layer in flatten_layers(observable):
        if isinstance(layer, keras.layers.RNN):
            layer.unroll = True
    return observable


def is_quantizing(model: keras.Model) -> bool:
    """Whether any layer of a model has a quantizer."""
    layers = flatten_layers(model)
    return any(isinstance(layer, QuantizedLayer) and layer.is_quantizing for layer in layers)


def current(quantizer: Quantizer | ScheduledQuantizer | None) -> Quantizer:
    """The quantizer in force now: of a schedule the current stage; `FLOAT` for None."""
    if isinstance(quantizer, ScheduledQuantizer):
        quantizer = quantizer.at(int(quantizer.clock.now(quantizer.unit)))
    return FLOAT if quantizer is None else quantizer


def _complete(layer: keras.Layer, roles: Iterable[str]) -> dict[str, Any]:
    own = getattr(layer, "quantizers", {}) if isinstance(layer, QuantizedLayer) else {}
    # An accumulator has no floating-point counterpart: a plain product rounds in other places.
    return {
        role: current(own.get(role))
        for role in roles
        if role != "accumulator" or own.get(role) is not None
    }
