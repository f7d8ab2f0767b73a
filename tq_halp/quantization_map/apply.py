"""A quantized copy of a model: same layer names, same connections, same weights."""

from collections.abc import Sequence

import keras

from tq_halp.errors import InputError
from tq_halp.layers.base import QuantizedLayer
from tq_halp.layers.registry import quantized_class
from tq_halp.quantization_map.matching import Decision, check, decide, find_leaves
from tq_halp.quantization_map.rules import Rule


def apply(model, rules: Sequence[Rule]) -> keras.Model:
    """A copy of `model` whose layers are quantized as `rules` decide; `model` is untouched.

    Nested models are copied likewise, a shared layer stays shared, and a compiled model gives a
    compiled copy (with a new optimizer). Masters of quantized weights are the float weights.

    Raises:
        InputError: a rule cannot do what it asks, or the model cannot be copied layer by layer.
    """
    leaves = find_leaves(model)
    decisions = {id(layer): decide(leaf, rules) for layer, leaf in leaves}
    check(list(decisions.values()), rules)
    copies = []

    def copy(layer):
        decision = decisions.get(id(layer))
        new = _quantized(layer, decision) if decision else _same(layer)
        copies.append((layer, new))
        return new

    quantized = keras.models.clone_model(model, clone_function=copy, recursive=True)
    if type(quantized) is not type(model):
        raise InputError(
            f"model is of class {type(model).__name__}, whose constructor is its own, so a copy "
            "would lose its methods; apply the map to the functional model inside it"
        )
    for layer, new in copies:
        for variable, copied in zip(_state(layer), _state(new), strict=True):
            copied.assign(variable)
    return quantized


def _quantized(layer, decision: Decision):
    if decision.rule is None:
        return _same(layer)
    config = layer.get_config()
    if isinstance(layer, QuantizedLayer):
        config = {key: value for key, value in config.items() if key not in layer.roles}
    if not decision.quantizers:
        return type(layer).from_config(config)
    chosen = {
        role: "none" if quantizer is None else quantizer.get_config()
        for role, quantizer in decision.quantizers.items()
    }
    return quantized_class(type(layer)).from_config({**config, **chosen})


def _same(layer):
    return type(layer).from_config(layer.get_config())


def _state(layer):
    """All variables but those that a quantized layer has on top of its Keras parent."""
    counter = getattr(layer, "rounding_counter", None)
    own = {id(variable) for variable in counter.variables} if counter else ()
    return [variable for variable in layer.variables if id(variable) not in own]
