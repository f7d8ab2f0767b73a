"""Checks of the rules of a map against the layers of a model."""

import difflib
from collections.abc import Sequence

from tq_halp.errors import InputError
from tq_halp.layers.keras_class_table import QUANTIZED
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.matching import Decision, target_class
from tq_halp.quantization_map.rules.rule import Rule


def check(decisions: Sequence[Decision], rules: Sequence[Rule]) -> None:
    """Checks every rule against the layers of a model.

    A rule is wrong if it matches no layer; if earlier rules decide all layers that it matches; if
    it quantizes, but none of its layers has anything to quantize; if it names a tensor that none of
    its layers has; or if its blocks do not divide a weight. An optional rule, or one that matches
    every layer, may have nothing to do.

    Raises:
        InputError: for the first rule that is wrong.
    """
    for rule in rules:
        matched = [decision.leaf for decision in decisions if rule.matches(decision.leaf)]
        decided = [decision for decision in decisions if decision.rule is rule]
        may_be_idle = rule.optional or len(matched) == len(decisions) > 0
        if not matched and not may_be_idle:
            raise rule.error(_unmatched(rule, [decision.leaf for decision in decisions]))
        if not decided and not may_be_idle:
            number = next(d.rule.number for d in decisions if d.rule and d.leaf is matched[0])
            raise rule.error(
                f"earlier rules decide every layer it matches ({matched[0]}: rule {number}); put "
                "it before them or remove it"
            )
        if rule.quantizers:
            _check_quantizable(rule, [decision.leaf for decision in decided], may_be_idle)
            _check_tensors(rule, matched if may_be_idle else [d.leaf for d in decided])
        for decision in decided:
            _check_shapes(rule, decision)


def _unmatched(rule: Rule, leaves: Sequence[Leaf]) -> str:
    received = repr(rule.layers.pattern) + (f", class {rule.class_name}" if rule.class_name else "")
    known = _listed(leaves)
    near = difflib.get_close_matches(rule.layers.pattern, [leaf.path for leaf in leaves], n=1)
    hint = f"; did you mean {near[0]!r}?" if near and not rule.class_name else ""
    if any(leaf.path.startswith(f"{rule.layers.pattern}/") for leaf in leaves):
        hint = f"; it holds layers: to mean all of them write '{rule.layers.pattern}/.*'"
    return f"matches no layer. Received: {received}, the layers are: {known or 'none'}{hint}"


def _check_quantizable(rule: Rule, leaves: Sequence[Leaf], may_be_idle: bool) -> None:
    able = [leaf for leaf in leaves if target_class(leaf)]
    holders = [leaf for leaf in leaves if leaf.has_layers]
    if not able and holders and not may_be_idle:
        path = holders[0].path
        raise rule.error(
            f"layer {holders[0]} has weights of its own beside its layers, which cannot be "
            f"quantized; name its layers, such as {path}/.*"
        )
    if not able and not may_be_idle:
        raise rule.error(
            f"matches only layers without anything to quantize ({_listed(leaves)}), classes that "
            f"can be quantized: {', '.join(c.__name__ for c in QUANTIZED)}, and every class that "
            "has weights"
        )


def _check_tensors(rule: Rule, leaves: Sequence[Leaf]) -> None:
    """Raises InputError for a tensor that none of the layers has."""
    targets = [(leaf, target) for leaf in leaves if (target := target_class(leaf))]
    able = [leaf for leaf, _ in targets]
    roles = [role for _, target in targets for role in target.roles]
    if any(leaf.has_weights for leaf in leaves):
        roles.append("momentum")
    for role, quantizer in rule.quantizers.items():
        if able and role not in roles and quantizer != "none" and not rule.optional:
            raise rule.error(
                f"{role} does not exist in {_listed(able)}, "
                f"valid: {', '.join(dict.fromkeys(roles))}"
            )


def _check_shapes(rule: Rule, decision: Decision) -> None:
    """Raises InputError if blocks do not divide a weight, or the gradient of one."""
    target = target_class(decision.leaf)
    if not decision.quantizers or target is None:
        return
    for weight in decision.leaf.weights:
        if weight.name.startswith("moving_"):
            continue  # statistics are never quantized
        role = target.role_of(weight)
        # The gradient of an embedding has the shape of the gathered rows.
        roles = (role,) if weight.name == "embeddings" else (role, "gradients")
        for role in roles:
            quantizer = decision.quantizers.get(role)
            try:
                if quantizer is not None:
                    quantizer.format.check_shape(tuple(weight.shape))
            except InputError as error:
                raise rule.error(f"{role}: {weight.name} of {decision.leaf}: {error}") from error


def _listed(leaves: Sequence[Leaf]) -> str:
    return ", ".join(map(str, leaves[:12])) + (", ..." if len(leaves) > 12 else "")
