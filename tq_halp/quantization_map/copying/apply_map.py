"""`apply`: a quantized copy of a model, with its layer names, connections, weights and methods."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.keras_internals.functional_graph import layers_with_input, nodes_of, operation_of
from tq_halp.layers.keras_class_table import quantize_layer
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.user_objects import copy_of
from tq_halp.quantization_map.copying import construction_hook
from tq_halp.quantization_map.copying.copy_compile import compile_like
from tq_halp.quantization_map.copying.copy_state import copy_state
from tq_halp.quantization_map.copying.rebuild_nested_layer import rebuild
from tq_halp.quantization_map.layer_tree import find_leaves, is_leaf
from tq_halp.quantization_map.rules.check_rules import check
from tq_halp.quantization_map.rules.matching import Decision, decide
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.states_keras_omits import leaves_out_state


def apply(model: keras.Model, rules: Sequence[Rule]) -> keras.Model:
    """A copy of `model` whose layers are quantized by `rules`; `model` is untouched.

    Nested models are copied too, shared layers stay shared, and the copy of a compiled model is
    compiled, with a new optimizer. The float weights become the masters of quantized weights. The
    class of the copy of a subclassed model is a subclass of its class.

    Raises:
        InputError: a rule is wrong for the model (`check_rules`), or the model cannot be copied.
    """
    leaves = find_leaves(model)
    decisions = {id(layer): decide(leaf, rules) for layer, leaf in leaves}
    check(list(decisions.values()), rules)
    with construction_hook.unhooked():
        chosen = {id(layer): _quantizers(layer, decisions[id(layer)]) for layer, _ in leaves}
        copy = _Copier(chosen).copy(model)
    copy_state(model, copy)
    if model.compiled and not copy.compiled:
        compile_like(model, copy)
    return copy


class _Copier:
    """Copies layers, each once, so that shared layers stay shared."""

    def __init__(self, chosen: Mapping[int, Mapping | None]) -> None:
        self._chosen = chosen  # by id of the source, as from `_quantizers`
        self._copies: dict[int, Any] = {}  # by id of the source, which the model keeps alive

    def copy(self, layer: Any) -> Any:
        """The copy of a layer or another Keras operation."""
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
        """The copy of a model that is a graph of layers.

        The inputs are copied here, for Keras' copies have only their shape, dtype and name.
        """
        _check_arguments(model)
        if type(model) is keras.Sequential:
            inputs = [_input_like(each) for each in layers_with_input(model)[:1] if _is_input(each)]
            copies = [self.copy(layer) for layer in model.layers]
            with _blaming(model):
                new = keras.Sequential([*inputs, *copies], name=model.name)
        else:
            inputs = keras.tree.map_structure(
                lambda x: _input_like(operation_of(x)).output, model.input
            )
            # A model that is not compiled, for Keras would compile its clone from a configuration.
            graph = keras.Model(model.input, model.output, name=model.name)
            with _blaming(model):
                clone = keras.models.clone_model(
                    graph, input_tensors=inputs, clone_function=self.copy
                )
                new = type(model)(clone.input, clone.output, name=model.name)
        _copy_trainable(model, new)
        return new


def _check_arguments(model: keras.Model) -> None:
    """Raises InputError if a call in the graph gets a variable, which the copy would share."""
    operations = getattr(model, "operations", ())  # a Sequential model has none
    for node in [node for each in operations for node in nodes_of(each)]:
        given = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        for variable in given:
            if isinstance(variable, keras.Variable):
                raise InputError(
                    f"model {model.name!r} cannot be copied: {node.operation.name} is called on "
                    f"the variable {variable.path}; read it in the call of a layer or of a "
                    "subclassed model instead"
                )


@contextlib.contextmanager
def _blaming(model: keras.Model) -> Iterator[None]:
    """A context that turns exceptions of the user's layers into an InputError about the copy."""
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
    """A new input layer with the configuration of the given one, name included."""
    optional = {"optional": layer.optional} if hasattr(layer, "optional") else {}
    return keras.layers.InputLayer(**{**layer.get_config(), **optional})


def _is_graph(model: keras.Layer) -> bool:
    """Whether a model is defined by its graph of layers alone, without a user's constructor."""
    if type(model) is keras.Sequential:
        return True
    if not (isinstance(model, keras.Function) and isinstance(model, keras.Model)):
        return False
    constructor = next(each for each in type(model).__mro__ if "__init__" in vars(each))
    is_sequential = isinstance(model, keras.Sequential)
    return constructor.__module__.split(".")[0] == "keras" and not is_sequential


def _quantizers(layer: keras.Layer, decision: Decision) -> dict[str, Any] | None:
    """{role: quantizer or "none"}; None: the layer is copied as it is."""
    if decision.quantizers:
        return {role: "none" if q is None else q for role, q in decision.quantizers.items()}
    is_undone = isinstance(layer, QuantizedLayer) and decision.rule is not None
    # Quantized layers also save the states that Keras leaves out.
    return {} if is_undone or leaves_out_state(layer) else None


def _copy_trainable(source: keras.Model, copy: keras.Model) -> None:
    """Copies `trainable`, which Keras' copies lack, also to the layers inside a model."""
    if source.trainable != copy.trainable:
        copy.trainable = source.trainable
        for old, new in zip(source.layers, copy.layers, strict=True):
            new.trainable = old.trainable
