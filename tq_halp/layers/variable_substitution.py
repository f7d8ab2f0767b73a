"""Calls of Keras layers with other values, such as quantized ones, in place of their variables."""

import collections
import contextlib
import contextvars
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tq_halp.keras_internals.layers import flatten_layers, own_trained_variables, stored_value

# Keras' name for a variable without a name. The number differs between processes.
_NAMED_BY_KERAS = re.compile(r"^(variable)_\d+$")

_calling: contextvars.ContextVar[keras.Layer | None] = contextvars.ContextVar(
    "tq_halp.layers.calling", default=None
)

#: Variables and the values that stand in for them.
Substitutes = Sequence[tuple[keras.Variable, tf.Tensor]]


class Substitution(keras.StatelessScope):
    """A context in which the given variables have the given values. All else is as outside.

    It extends `StatelessScope`. There are two differences: other variables keep the value that an
    outer scope gives them, and an assignment takes effect at once, in the outer scope or in the
    variable itself. So BatchNorm statistics, seed states and metrics advance as usual, also in
    branches and loops of a graph.

    Args:
        substitutes: pairs of a `keras.Variable` and a tensor of its shape. The tensor is converted
            to the dtype in which the variable is read (the compute dtype, if Keras casts it).

    Attributes:
        losses: the losses of `add_loss`, except those that an outer scope collects.
    """

    def __init__(self, substitutes: Substitutes) -> None:
        # Variables made inside belong to the outermost scope, which initializes them.
        super().__init__(substitutes, collect_losses=True, initialize_variables=False)

    def get_current_value(self, variable: keras.Variable) -> tf.Tensor | None:
        """The value of a variable in this scope or an outer one; None: it has no other value."""
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        return value

    def add_update(self, update: tuple[keras.Variable, tf.Tensor]) -> None:
        """Assigns at once, outside of this scope."""
        variable, value = update
        if super().get_current_value(variable) is not None:
            super().add_update(update)
        self.__exit__()
        try:
            variable.assign(value)
        finally:
            self.__enter__()

    def add_loss(self, loss: tf.Tensor) -> None:
        """Adds a loss to the outer scope if it collects losses, or to `losses`."""
        outer = self.original_scope
        if outer is None:
            super().add_loss(loss)
        elif outer.collect_losses:
            outer.add_loss(loss)


def value_of(variable: keras.Variable) -> tf.Tensor:
    """A variable's current value in its own dtype, without the cast of a layer's call."""
    with Substitution([]) as scope:
        value = scope.get_current_value(variable)
    return keras.ops.convert_to_tensor(stored_value(variable) if value is None else value)


def call_with(layer: keras.Layer, substitutes: Substitutes, call: Callable[[], Any]) -> Any:
    """The result of `call()`, with `substitutes` in place of variables of `layer`.

    Args:
        layer: receives the losses that `call` adds.
        substitutes: as for `Substitution`; may be empty.
        call: a function without arguments.
    """
    if not substitutes:
        return call()
    with calling(layer), Substitution(substitutes) as scope:
        outputs = call()
    for loss in scope.losses:
        layer.add_loss(loss)
    return outputs


@contextlib.contextmanager
def calling(layer: keras.Layer) -> Iterator[None]:
    """A context, of this thread or task, in which the layer reads its own weights."""
    token = _calling.set(layer)
    try:
        yield
    finally:
        _calling.reset(token)


def is_calling(layer: keras.Layer) -> bool:
    """Whether `calling(layer)` is in force in this thread or task."""
    return _calling.get() is layer


def weights_of(layer: keras.Layer) -> list[keras.Variable]:
    """The trainable variables of a layer and its sublayers, frozen or not.

    Statistics are not among them, although they look like frozen weights.
    """
    trained = {id(v) for each in flatten_layers(layer) for v in own_trained_variables(each)}
    return [variable for variable in layer.weights if id(variable) in trained]


def names_of(variables: Iterable[keras.Variable]) -> list[str]:
    """Unique names of a layer's variables, the same in every process.

    A name is that of the variable, or "variable" if Keras named it by a number. The second variable
    of a name is "<name>/1", and so on.
    """
    names: list[str] = []
    seen: collections.Counter[str] = collections.Counter()
    for variable in variables:
        name = _NAMED_BY_KERAS.sub(r"\1", variable.name)
        names.append(f"{name}/{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names
