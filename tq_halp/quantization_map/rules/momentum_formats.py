"""The key `momentum` of a map: quantizers for the optimizer's slots of each layer's weights."""

from collections.abc import Sequence
from typing import Any

import keras

from tq_halp.optimizers import get_optimizer, quantize_momentum
from tq_halp.quantization_map.layer_tree import find_leaves
from tq_halp.quantization_map.rules.matching import decide
from tq_halp.quantization_map.rules.rule import Rule


def has_momentum(rules: Sequence[Rule]) -> bool:
    """Whether any rule quantizes an optimizer's slots."""
    return any(rule.quantizers.get("momentum", "none") != "none" for rule in rules)


def optimizer_for(
    model: keras.Model, optimizer: Any, rules: Sequence[Rule]
) -> keras.optimizers.Optimizer:
    """An optimizer whose slots are quantized by the rules.

    Args:
        model: a built model, quantized or not, with whose layers the rules are matched.
        optimizer: any Keras optimizer, its name or configuration; it is used, not copied.
        rules: if none has a `momentum`, `optimizer` itself is returned.

    Raises:
        InputError: `optimizer` is not an optimizer, or `model` not a built Keras model.
    """
    optimizer, leaves = get_optimizer(optimizer), find_leaves(model)
    if not has_momentum(rules):
        return optimizer
    chosen = {
        id(weight): decision.momentum
        for decision in (decide(leaf, rules) for _, leaf in leaves)
        for weight in decision.leaf.weights
    }
    # By position, for two layers of a model may have variables of the same path.
    return quantize_momentum(optimizer, [chosen.get(id(v)) for v in model.trainable_variables])
