"""Derivation of a quantization map from a quantized model."""

import re
from collections.abc import Mapping
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.optimizers import QuantizedOptimizer
from tq_halp.quantization_map.layer_tree import Leaf, find_leaves
from tq_halp.quantizers import AnyQuantizer, Quantizer, ScheduledQuantizer


def mapping_of(model: keras.Model) -> dict[str, Any]:
    """A map, as `QuantizationMap.from_dict` takes it, with one rule for each layer of a model.

    Raises:
        InputError: `model` is not a built Keras model; or no rule can describe a layer, because it
            has schedules both in epochs and in steps, or its weights differ in momentum.
    """
    momenta = _momenta(model)
    rules = [_rule(layer, leaf, momenta) for layer, leaf in find_leaves(model)]
    return {"version": 1, "rules": rules}


def _rule(
    layer: keras.Layer, leaf: Leaf, momenta: Mapping[int, Quantizer | None]
) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if isinstance(layer, QuantizedLayer) and layer.is_quantizing:
        said = {role: _value(layer.quantizers[role]) for role in layer.roles}
        changes = _schedule(leaf, layer.quantizers)
        if changes:
            said["schedule"] = changes
    found = [momenta[id(weight)] for weight in leaf.weights if id(weight) in momenta]
    if any(each != found[0] for each in found):
        raise InputError(f"{leaf}: the momenta of its weights differ, which no rule can say")
    if found and found[0] is not None:
        said["momentum"] = found[0].get_config()
    return {"layers": re.escape(leaf.path), **(said or {"quantize": "none"})}


def _value(quantizer: AnyQuantizer | None) -> dict[str, Any] | str:
    """The value of a tensor in a rule, at the start of training."""
    if isinstance(quantizer, ScheduledQuantizer):
        quantizer = quantizer.at(0)
    return "none" if quantizer is None else quantizer.get_config()


def _schedule(leaf: Leaf, quantizers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a rule's `schedule`, in order."""
    scheduled = {r: q for r, q in quantizers.items() if isinstance(q, ScheduledQuantizer)}
    units = {quantizer.unit for quantizer in scheduled.values()}
    if len(units) > 1:
        raise InputError(f"{leaf}: has schedules in epochs and in steps, which no rule can say")
    entries: dict[int, dict[str, Any]] = {}
    for role, quantizer in scheduled.items():
        for start, stage in quantizer.stages:
            if start > 0:
                entry = entries.setdefault(start, {quantizer.unit: start})
                entry[role] = "none" if stage is None else stage.get_config()
    return [entries[start] for start in sorted(entries)]


def _momenta(model: keras.Model) -> dict[int, Quantizer | None]:
    """{id of a trainable variable: quantizer of the optimizer's slots for it}."""
    optimizer = getattr(model, "optimizer", None)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, QuantizedOptimizer):
        return {}
    variables = model.trainable_variables
    return {
        id(variable): quantizer
        for variable, quantizer in zip(variables, optimizer.chosen_for(variables), strict=True)
    }
