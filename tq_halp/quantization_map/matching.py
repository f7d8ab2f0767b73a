"""Which rule decides which layer, and whether every rule of a map can do what it asks."""

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence

import keras

from tq_halp.errors import InputError
from tq_halp.layers.registry import QUANTIZED, quantized_class
from tq_halp.quantization_map.rules import Rule
from tq_halp.quantizers import Quantizer

# Which of a rule's keys act on tensors of a weight's shape, by Keras' name of the weight. (The
# gradients of an embedding have the shape of what was looked up.)
_ROLES_OF_WEIGHT = {
    "kernel": ("weights", "gradients"),
    "recurrent_kernel": ("recurrent_weights", "gradients"),
    "bias": ("bias", "gradients"),
    "embeddings": ("weights",),
}


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A layer that is no model. One that two nested models share has several paths."""

    paths: tuple[str, ...]
    layer_class: type
    has_weights: bool
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()  # of the weights, by name, where known

    @property
    def path(self) -> str:
        return self.paths[0]

    @property
    def class_name(self) -> str:
        return self.layer_class.__name__

    def __str__(self):
        return f"{self.path} ({self.class_name})"


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of one layer."""

    leaf: Leaf
    rule: Rule | None  # the rule that decided; None: no rule is about this layer
    quantizers: Mapping[str, Quantizer | None]  # by role; empty: the layer is not quantized


def is_graph(model) -> bool:
    """Whether the layers of a model and their connections are known (Sequential, Functional)."""
    return isinstance(model, (keras.Sequential, keras.Function)) and isinstance(model, keras.Model)


def find_leaves(model) -> list[tuple[keras.Layer, Leaf]]:
    """The layers of a model and of the models nested in it, in order, each once.

    Raises:
        InputError: a subclassed or an unbuilt model, whose layers nobody can know.
    """
    if not is_graph(model):
        raise InputError(
            f"model must be a Sequential or functional Keras model, received {model!r} of class "
            f"{type(model).__name__}; build its layers inside QuantizationMap.scope() instead"
        )
    if not model.built:
        raise InputError(f"model {model.name!r} is not built: start it with keras.Input(shape)")
    found: dict[int, tuple[keras.Layer, list[str]]] = {}
    _walk(model, "", found)
    return [
        (layer, Leaf(tuple(paths), type(layer), bool(layer.weights), _shapes(layer)))
        for layer, paths in found.values()
    ]


def _walk(model, prefix, found):
    for layer in model.layers:
        path = prefix + layer.name
        if is_graph(layer):
            _walk(layer, f"{path}/", found)
        else:
            found.setdefault(id(layer), (layer, []))[1].append(path)


def _shapes(layer):
    return tuple((weight.name, tuple(weight.shape)) for weight in layer.weights)


def decide(leaf: Leaf, rules: Sequence[Rule]) -> Decision:
    """The first rule that matches decides."""
    rule = next((rule for rule in rules if rule.matches(leaf)), None)
    target = quantized_class(leaf.layer_class)
    if rule is None or not rule.quantizers or target is None:
        return Decision(leaf, rule, {})
    return Decision(
        leaf, rule, target.choose({role: rule.quantizers.get(role) for role in target.roles})
    )


def check(decisions: Sequence[Decision], rules: Sequence[Rule]) -> None:
    """Raises InputError for the first rule that cannot do what it asks on these layers.

    A rule is wrong if it matches nothing; if earlier rules decide all that it matches; if it asks
    to quantize a layer that holds weights but has no quantized class, or only layers that hold
    nothing to quantize; if it names a tensor that none of its layers has; or if its blocks do not
    fit a weight. A catch-all, one that matches every layer, may find nothing left to do.
    """
    for rule in rules:
        matched = [decision.leaf for decision in decisions if rule.matches(decision.leaf)]
        if not matched:
            raise rule.error(_unmatched(rule, [decision.leaf for decision in decisions]))
        decided = [decision for decision in decisions if decision.rule is rule]
        is_catch_all = len(matched) == len(decisions)
        if not decided and not is_catch_all:
            first = next(d for d in decisions if d.leaf is matched[0])
            raise rule.error(
                f"earlier rules decide every layer it matches ({first.leaf}: rule "
                f"{first.rule.number}); put it before them or remove it"
            )
        if rule.quantizers:
            _check_quantizable(rule, [decision.leaf for decision in decided], is_catch_all)
        for decision in decided:
            _check_shapes(rule, decision)


def _unmatched(rule, leaves):
    received = repr(rule.layers.pattern) + (f", class {rule.class_name}" if rule.class_name else "")
    known = ", ".join(map(str, leaves[:12])) + (", ..." if len(leaves) > 12 else "")
    near = difflib.get_close_matches(rule.layers.pattern, [leaf.path for leaf in leaves], n=1)
    hint = f"; did you mean {near[0]!r}?" if near and not rule.class_name else ""
    return f"matches no layer, received {received}, the layers are: {known or 'none'}{hint}"


def _check_quantizable(rule, leaves, is_catch_all):
    able = [leaf for leaf in leaves if quantized_class(leaf.layer_class)]
    for leaf in leaves:
        if leaf not in able and leaf.has_weights:
            raise rule.error(
                f"layer {leaf} cannot be quantized, classes that can: {_class_names()}; leave it "
                f'out by an earlier rule {{layers: "{re.escape(leaf.path)}", quantize: none}}'
            )
    if not able and not is_catch_all:
        raise rule.error(
            f"matches only layers without anything to quantize ({', '.join(map(str, leaves))}), "
            f"classes that can be quantized: {_class_names()}"
        )
    roles = [role for leaf in able for role in quantized_class(leaf.layer_class).roles]
    for role in rule.quantizers:
        if able and role not in roles:
            raise rule.error(
                f"{role} does not exist in {', '.join(map(str, able))}, "
                f"valid: {', '.join(dict.fromkeys(roles))}"
            )


def _check_shapes(rule, decision):
    for name, shape in decision.leaf.shapes:
        for role in _ROLES_OF_WEIGHT.get(name, ()):
            quantizer = decision.quantizers.get(role)
            try:
                if quantizer is not None:
                    quantizer.format.check_shape(shape)
            except InputError as error:
                raise rule.error(f"{role}: {name} of {decision.leaf}: {error}") from error


def _class_names():
    return ", ".join(layer_class.__name__ for layer_class in QUANTIZED)
