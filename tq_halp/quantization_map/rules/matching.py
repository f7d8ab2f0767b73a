"""Which rule decides which layer, and what that makes of it."""

import dataclasses
from collections.abc import Mapping, Sequence

from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.layers.quantized_classes import quantized_class
from tq_halp.layers.quantized_layer import QuantizedLayer
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.quantizers import AnyQuantizer, Quantizer


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of one layer."""

    leaf: Leaf
    rule: Rule | None  # the rule that decided; None: no rule is about this layer
    # By role; empty: the layer is not quantized.
    quantizers: Mapping[str, AnyQuantizer | None]
    momentum: Quantizer | None = None  # of the optimizer's slots for the layer's weights
    why_float: str = ""  # where there are no quantizers


def target_class(leaf: Leaf) -> type[QuantizedLayer] | None:
    """The class that stands for a layer once it is quantized; None: it cannot be.

    The quantized twin or, for a layer that has weights or is of a user's own class, `QuantLayer`.
    """
    twin = quantized_class(leaf.layer_class)
    if twin is not None or leaf.has_layers:
        return twin
    is_of_keras = leaf.layer_class.__module__.split(".")[0] == "keras"
    return QuantLayer if leaf.has_weights or not is_of_keras else None


def decide(leaf: Leaf, rules: Sequence[Rule]) -> Decision:
    """The first rule that matches decides."""
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
