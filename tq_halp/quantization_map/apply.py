"""A quantized copy of a model: same layer names, same connections, same weights, same methods."""

from collections.abc import Mapping, Sequence

import keras

from tq_halp.errors import InputError
from tq_halp.layers.base import QuantizedLayer
from tq_halp.layers.clock import TrainingClock
from tq_halp.layers.counter import CallCounter
from tq_halp.layers.registry import copy_of, quantize_layer
from tq_halp.left_out import leaves_out_state
from tq_halp.quantization_map import births
from tq_halp.quantization_map.checks import check
from tq_halp.quantization_map.compiling import compile_like, uncompiled
from tq_halp.quantization_map.leaves import find_leaves, is_leaf
from tq_halp.quantization_map.matching import Decision, decide
from tq_halp.quantization_map.rebuild import rebuild
from tq_halp.quantization_map.rules import Rule


def apply(model: keras.Model, rules: Sequence[Rule]) -> keras.Model:
    """A copy of `model` whose layers are quantized as `rules` decide; `model` is untouched.

    Nested models are copied likewise, a shared layer stays shared, and a compiled model gives a
    compiled copy (with a new optimizer). Masters of quantized weights are the float weights. The
    copy of a subclassed model is of a subclass of its class.

    Raises:
        InputError: a rule cannot do what it asks, or the model cannot be copied.
    """
    leaves = find_leaves(model)
    decisions = {id(layer): decide(leaf, rules) for layer, leaf in leaves}
    check(list(decisions.values()), rules)
    with births.unwatched():
        chosen = {id(layer): _quantizers(layer, decisions[id(layer)]) for layer, _ in leaves}
        copy = _Copier(chosen).copy(model)
    _copy_state(model, copy)
    if model.compiled and not copy.compiled:
        compile_like(model, copy)
    return copy


class _Copier:
    """Copies layers, each once."""

    def __init__(self, chosen: Mapping[int, Mapping | None]):
        self._chosen = chosen  # by id of the source: as `_quantizers` returns
        self._copies = {}  # by id of the source, which the model keeps alive

    def copy(self, layer):
        if id(layer) not in self._copies:
            new = self._copy(layer)
            new.name = layer.name
            self._copies[id(layer)] = new
        return self._copies[id(layer)]

    def _copy(self, layer):
        if not isinstance(layer, keras.Layer):
            return type(layer).from_config(layer.get_config())  # an operation such as x + y
        if _is_graph(layer):
            with uncompiled(layer):
                new = keras.models.clone_model(layer, clone_function=self.copy)
            _copy_inputs_and_trainable(layer, new)
            return new
        if not is_leaf(layer):
            return rebuild(layer, self._chosen)
        chosen = self._chosen[id(layer)]
        if chosen is not None:
            return quantize_layer(layer, chosen)
        if isinstance(layer, keras.layers.Lambda):
            # Its function is in this process already: nothing is loaded from anywhere.
            return type(layer).from_config(layer.get_config(), safe_mode=False)
        return copy_of(layer)


def _is_graph(model):
    """Whether a model is its layers and their connections, and nothing of a user's constructor."""
    if type(model) is keras.Sequential:
        return True
    if not (isinstance(model, keras.Function) and isinstance(model, keras.Model)):
        return False
    constructor = next(each for each in type(model).__mro__ if "__init__" in vars(each))
    is_sequential = isinstance(model, keras.Sequential)
    return constructor.__module__.split(".")[0] == "keras" and not is_sequential


def _quantizers(layer, decision: Decision):
    """By role, "none" where the rule says nothing; None: the layer stays as it is."""
    if decision.quantizers:
        return {role: "none" if q is None else q for role, q in decision.quantizers.items()}
    is_undone = isinstance(layer, QuantizedLayer) and decision.rule is not None
    # Only the quantized layers are saved with all that they go on from.
    return {} if is_undone or leaves_out_state(layer) else None


def _copy_inputs_and_trainable(source, copy):
    """What Keras' own copies forget. Setting `trainable` reaches the layers inside a model."""
    for old, new in zip(source.layers, copy.layers, strict=True):
        if isinstance(old, keras.layers.InputLayer):
            new.name = old.name
    if source.trainable != copy.trainable:
        copy.trainable = source.trainable
        for old, new in zip(source.layers, copy.layers, strict=True):
            new.trainable = old.trainable


def _copy_state(source, copy):
    old, new = _state(source), _state(copy)
    if [tuple(variable.shape) for variable in old] != [tuple(variable.shape) for variable in new]:
        raise InputError(
            f"model {source.name!r} ({type(source).__name__}) cannot be copied: built again it has "
            f"{len(new)} variables instead of {len(old)}, or others; build the model inside "
            "QuantizationMap.scope()"
        )
    for variable, copied in zip(old, new, strict=True):
        copied.assign(variable)
    settle(copy)


def settle(model: keras.Model) -> None:
    """Have layers whose variables were set from outside compute with their new values.

    Normalization derives numbers from its variables, and does so anew only when it loads them.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _state(layer):
    """All variables but those that quantized layers have on top of their Keras parents."""
    extra = {
        id(variable)
        for each in layer._flatten_layers()
        if isinstance(each, (CallCounter, TrainingClock))
        for variable in each.variables
    }
    return [variable for variable in layer.variables if id(variable) not in extra]
