"""A Keras layer's own call, run with other values in its variables."""

import collections
import contextlib
import contextvars
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

# What Keras calls a variable that was given no name; the number is that of this process alone.
_NAMED_BY_KERAS = re.compile(r"^(variable)_\d+$")

_calling: contextvars.ContextVar[keras.Layer | None] = contextvars.ContextVar(
    "tq_halp.layers.calling", default=None
)

#: Variables and the values that stand in for them.
Substitutes = Sequence[tuple[keras.Variable, tf.Tensor]]


class Substitution(keras.StatelessScope):
    """Inside, the given variables have the given values. All else is as it is outside.

    Unlike in a plain `StatelessScope`, which it extends, every other variable keeps the value that
    an outer scope gives it, and an assignment goes through at once: to the outer scope, or to the
    variable itself. So BatchNorm statistics, seed states and metrics advance as they always do, in
    branches and loops of a graph too.

    Args:
        substitutes: pairs of a `keras.Variable` and a tensor of its shape, which is converted to
            the dtype that the variable has here (the compute dtype, for one that Keras casts).

    Attributes:
        losses: what `add_loss` received, unless an outer scope has taken it.
    """

    def __init__(self, substitutes: Substitutes) -> None:
        # Variables made inside belong to the outermost scope, which initializes them at its end.
        super().__init__(substitutes, collect_losses=True, initialize_variables=False)

    def get_current_value(self, variable: keras.Variable) -> tf.Tensor | None:
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        return value

    def add_update(self, update: tuple[keras.Variable, tf.Tensor]) -> None:
        variable, value = update
        if super().get_current_value(variable) is not None:
            super().add_update(update)
        self.__exit__()
        try:
            variable.assign(value)
        finally:
            self.__enter__()

    def add_loss(self, loss: tf.Tensor) -> None:
        outer = self.original_scope
        if outer is None:
            super().add_loss(loss)
        elif outer.collect_losses:
            outer.add_loss(loss)


def value_of(variable: keras.Variable) -> tf.Tensor:
    """A variable's value here, not cast to the compute dtype as it is within a layer's call."""
    with Substitution([]) as scope:
        value = scope.get_current_value(variable)
    return keras.ops.convert_to_tensor(variable._value if value is None else value)


def call_with(layer: keras.Layer, substitutes: Substitutes, call: Callable[[], Any]) -> Any:
    """What `call()` returns, with `substitutes` in the place of variables of `layer`.

    Args:
        layer: gets the losses that `call` adds.
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
    """Inside, in this thread or task, it is that layer itself that reads its weights."""
    token = _calling.set(layer)
    try:
        yield
    finally:
        _calling.reset(token)


def is_calling(layer: keras.Layer) -> bool:
    """Whether what runs, in this thread or task, is the call of that layer: see `calling`."""
    return _calling.get() is layer


def weights_of(layer: keras.Layer) -> list[keras.Variable]:
    """The variables that a layer and its sublayers train, or would if they were not frozen.

    Not the statistics, which look the same from outside when a layer is frozen.
    """
    trained = {id(v) for each in layer._flatten_layers() for v in each._trainable_variables}
    return [variable for variable in layer.weights if id(variable) in trained]


def names_of(variables: Iterable[keras.Variable]) -> list[str]:
    """The names that tell a layer's variables apart, the same in every process.

    A variable's own name, or "variable" for one that Keras named by a running number; the second of
    a name is "<name>/1" and so on.
    """
    names: list[str] = []
    seen: collections.Counter[str] = collections.Counter()
    for variable in variables:
        name = _NAMED_BY_KERAS.sub(r"\1", variable.name)
        names.append(f"{name}/{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names
