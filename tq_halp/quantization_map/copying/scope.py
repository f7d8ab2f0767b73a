"""Keras layers built inside a `with` block come out quantized, whoever builds them."""

import contextlib
from collections.abc import Iterator, Sequence

import keras

from tq_halp.layers.quantized_classes import QUANTIZED
from tq_halp.quantization_map.copying import construction_hook
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.check_rules import check
from tq_halp.quantization_map.rules.matching import Decision, decide
from tq_halp.quantization_map.rules.rule import Rule


@contextlib.contextmanager
def scope(rules: Sequence[Rule]) -> Iterator[None]:
    """Quantizes what is built inside by `rules`; a layer's path is its own name.

    A layer that no rule decides comes out as its quantized class without quantizers, which equals
    the Keras class in every number. A layer class that has no quantized twin is left alone. See
    `construction_hook` for the mechanism.

    Raises:
        InputError: at the end, if no exception is under way: a rule could not do what it asks.
    """
    decisions: list[Decision] = []

    def fate(keras_class: type, name: str | None) -> construction_hook.Fate:
        name = name or _automatic_name(keras_class)
        decisions.append(decide(Leaf((name,), keras_class, has_weights=True), rules))
        return construction_hook.Fate(name, decisions[-1].quantizers)

    with construction_hook.watch(QUANTIZED, fate):
        yield
    check(decisions, rules)


def _automatic_name(keras_class: type) -> str:
    """The name that Keras would have given: "dense_1", not "quant_dense_1"."""
    return type(keras_class.__name__, (keras.layers.Layer,), {})().name
