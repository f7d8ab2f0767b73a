"""A quantized copy of a model: same layer names, same connections, same weights, same methods."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.quantized_classes import quantize_layer
from tq_halp.layers.quantized_layer import QuantizedLayer
from tq_halp.layers.user_functions import copy_of
from tq_halp.quantization_map.copying import construction_hook
from tq_halp.quantization_map.copying.copy_compile import compile_like
from tq_halp.quantization_map.copying.copy_state import copy_state
from tq_halp.quantization_map.copying.rebuild_composite import rebuild
from tq_halp.quantization_map.layer_tree import find_leaves, is_leaf
from tq_halp.quantization_map.rules.check_rules import check
from tq_halp.quantization_map.rules.matching import Decision, decide
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.unsaved_states import leaves_out_state


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
    with construction_hook.unwatched():
        chosen = {id(layer): _quantizers(layer, decisions[id(layer)]) for layer, _ in leaves}
        copy = _Copier(chosen).copy(model)
    copy_state(model, copy)
    if model.compiled and not copy.compiled:
        compile_like(model, copy)
    return copy


class _Copier:
    """Copies layers, each once."""

    def __init__(self, chosen: Mapping[int, Mapping | None]) -> None:
        self._chosen = chosen  # by id of the source: as `_quantizers` returns
        self._copies: dict[int, Any] = {}  # by id of the source, which the model keeps alive

    def copy(self, layer: Any) -> Any:
        if id(layer) not in self._copies:
            new = self._copy(layer)
            new.name = layer.name
            self._copies[id(layer)] = new
        return self._copies[id(layer)]

    def _copy(self, layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return type(layer).from_config(layer.get_config())  # an operation such as x + y
        if _is_graph(layer):
            return self._copy_graph(layer)
        if not is_leaf(layer):
            return rebuild(layer, self._chosen)
        chosen = self._chosen[id(layer)]
        if chosen is not None:
            return quantize_layer(layer, chosen)
        return copy_of(layer)

    def _copy_graph(self, model: keras.Model) -> keras.Model:
        """With inputs of our own: of Keras' copies they have a shape, a dtype and a name alone."""
        _check_arguments(model)
        if type(model) is keras.Sequential:
            inputs = [_input_like(each) for each in model._layers[:1] if _is_input(each)]
            copies = [self.copy(layer) for layer in model.layers]
            with _naming(model):
                new = keras.Sequential([*inputs, *copies], name=model.name)
        else:
            inputs = keras.tree.map_structure(
                lambda x: _input_like(x._keras_history.operation).output, model.input
            )
            # Of a compiled model Keras would compile the clone, by a configuration alone.
            graph = keras.Model(model.input, model.output, name=model.name)
            with _naming(model):
                clone = keras.models.clone_model(
                    graph, input_tensors=inputs, clone_function=self.copy
                )
                new = type(model)(clone.input, clone.output, name=model.name)
        _copy_trainable(model, new)
        return new


def _check_arguments(model: keras.Model) -> None:
    """No call in the graph is given a variable: it would be that of the source in the copy too."""
    operations = getattr(model, "operations", ())  # none of a Sequential one
    for node in [node for each in operations for node in each._inbound_nodes]:
        given = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        for variable in given:
            if isinstance(variable, keras.Variable):
                raise InputError(
                    f"model {model.name!r} cannot be copied: {node.operation.name} is called on "
                    f"the variable {variable.path}; read it in the call of a layer or of a "
                    "subclassed model instead"
                )


@contextlib.contextmanager
def _naming(model: keras.Model) -> Iterator[None]:
    """What goes wrong inside is of the user's own code, in a copy that is not like its source."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"model {model.name!r} cannot be copied: the copy of a layer cannot be called as the "
            "layer was; give its class a get_config that returns the arguments of its constructor, "
            f"or build the model inside QuantizationMap.scope(). Received: {error}"
        ) from error


def _is_input(layer: Any) -> bool:
    return isinstance(layer, keras.layers.InputLayer)


def _input_like(layer: keras.Layer) -> keras.layers.InputLayer:
    """An input with all that the given one says of itself, its name too."""
    optional = {"optional": layer.optional} if hasattr(layer, "optional") else {}
    return keras.layers.InputLayer(**{**layer.get_config(), **optional})


def _is_graph(model: keras.Layer) -> bool:
    """Whether a model is its layers and their connections, and nothing of a user's constructor."""
    if type(model) is keras.Sequential:
        return True
    if not (isinstance(model, keras.Function) and isinstance(model, keras.Model)):
        return False
    constructor = next(each for each in type(model).__mro__ if "__init__" in vars(each))
    is_sequential = isinstance(model, keras.Sequential)
    return constructor.__module__.split(".")[0] == "keras" and not is_sequential


def _quantizers(layer: keras.Layer, decision: Decision) -> dict[str, Any] | None:
    """By role, "none" where the rule says nothing; None: the layer stays as it is."""
    if decision.quantizers:
        return {role: "none" if q is None else q for role, q in decision.quantizers.items()}
    is_undone = isinstance(layer, QuantizedLayer) and decision.rule is not None
    # Only the quantized layers are saved with all that they go on from.
    return {} if is_undone or leaves_out_state(layer) else None


def _copy_trainable(source: keras.Model, copy: keras.Model) -> None:
    """What Keras' own copies forget. Setting `trainable` reaches the layers inside a model."""
    if source.trainable != copy.trainable:
        copy.trainable = source.trainable
        for old, new in zip(source.layers, copy.layers, strict=True):
            new.trainable = old.trainable
