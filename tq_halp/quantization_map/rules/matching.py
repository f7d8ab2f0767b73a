"""Matching of rules with layers: the first rule that matches a layer decides its quantizers."""

import dataclasses
from collections.abc import Mapping, Sequence

from tq_halp.layers.keras_class_table import quantized_class
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.quantizers import AnyQuantizer, Quantizer


@dataclasses.dataclass(frozen=True)
class Decision:
    """The rule for one layer, and the quantizers that follow."""

    leaf: Leaf
    rule: Rule | None  # the rule that decided; None: no rule matches
    # By role; empty: the layer is not quantized.
    quantizers: Mapping[str, AnyQuantizer | None]
    momentum: Quantizer | None = None  # for the optimizer's slots of the layer's weights
    why_float: str = ""  # if there are no quantizers: the reason


def target_class(leaf: Leaf) -> type[QuantizedLayer] | None:
    """The class of a layer after quantization; None: it cannot be quantized.

    It is the quantized class or, for a layer with weights or of a user's class, `QuantLayer`.
    """
    known = quantized_class(leaf.layer_class)
    if known is not None or leaf.has_layers:
        return known
    is_of_keras = leaf.layer_class.__module__.split(".")[0] == "keras"
    return QuantLayer if leaf.has_weights or not is_of_keras else None


def decide(leaf: Leaf, rules: Sequence[Rule]) -> Decision:
    """The decision for a layer: the first rule that matches decides."""
    rule = next((rule for rule in rules if rule.matches(leaf)), None)
    if rule is None:
        return Decision(leaf, None, {}, why_float="no rule matches")
    asked = rule.quantizers.get("momentum")
    momentum = asked if isinstance(asked, Quantizer) and leaf.has_weights else None
    target = target_class(leaf)
    if not rule.quantizers:
        return Decision(leaf, rule, {}, why_float="quantize: none")
    if leaf.has_layers:
        why = "weights of its own beside its layers"
        return Decision(leaf, rule, {}, momentum, why)
    if target is None:
        return Decision(leaf, rule, {}, why_float=f"{leaf.class_name} has nothing to quantize")
    chosen = target.choose({role: rule.quantizers.get(role) for role in target.roles})
    if not any(chosen.values()):
        return Decision(leaf, rule, {}, momentum, "the rule quantizes nothing in it")
    return Decision(leaf, rule, chosen, momentum)
