"""`scope`: a `with` block in which all new Keras layers are quantized."""

import contextlib
from collections.abc import Iterator, Sequence

import keras

from tq_halp.layers.keras_class_table import QUANTIZED
from tq_halp.quantization_map.copying import construction_hook
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.check_rules import check
from tq_halp.quantization_map.rules.matching import Decision, decide
from tq_halp.quantization_map.rules.rule import Rule


@contextlib.contextmanager
def scope(rules: Sequence[Rule]) -> Iterator[None]:
    """A context in which new layers are quantized by `rules`. The path of a layer is its name.

    A layer that no rule matches gets its quantized class without quantizers, with the same numbers
    as the Keras class. Layers without a quantized class are not changed. For the mechanism see
    `construction_hook`.

    Raises:
        InputError: at the end of the block, unless an exception is raised: a rule is wrong for the
            layers that were made (`check_rules`).
    """
    decisions: list[Decision] = []

    def fate(keras_class: type, name: str | None) -> construction_hook.Fate:
        name = name or _automatic_name(keras_class)
        decisions.append(decide(Leaf((name,), keras_class, has_weights=True), rules))
        return construction_hook.Fate(name, decisions[-1].quantizers)

    with construction_hook.hooked(QUANTIZED, fate):
        yield
    check(decisions, rules)


def _automatic_name(keras_class: type) -> str:
    """The name that Keras would give the layer: "dense_1", not "quant_dense_1"."""
    return type(keras_class.__name__, (keras.layers.Layer,), {})().name
