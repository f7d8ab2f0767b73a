"""The layers and the variables that a Keras layer holds, and the lock that Keras puts on them."""

from contextlib import AbstractContextManager
from typing import Any

import keras


def flatten_layers(
    layer: keras.Layer, *, include_self: bool = True, recursive: bool = True
) -> list[keras.Layer]:
    """The layers inside a layer or model, each once, in the order in which they are tracked.

    Why private: ``Model.layers`` leaves out the layers inside layers, such as an RNN's cell, and
    ``Layer`` has no public list at all.
    """
    return layer._flatten_layers(include_self=include_self, recursive=recursive)


def own_trained_variables(layer: keras.Layer) -> list[keras.Variable]:
    """The variables that a layer, without its sublayers, trains or would train if not frozen.

    Why private: ``trainable_variables`` is empty for a frozen layer, and includes the sublayers.
    """
    return layer._trainable_variables


def own_untrained_variables(layer: keras.Layer) -> list[keras.Variable]:
    """The variables that a layer, without its sublayers, keeps but never trains: statistics.

    Why private: as for ``own_trained_variables``.
    """
    return layer._non_trainable_variables


def own_seed_generators(layer: keras.Layer) -> list[keras.random.SeedGenerator]:
    """The seed generators of a layer, without those of its sublayers.

    Why private: Keras lists the generators' variables at most, and a user's variable may have the
    same name.
    """
    return layer._seed_generators


def stored_value(variable: keras.Variable) -> Any:
    """The tensor or TensorFlow variable behind a Keras variable, in the variable's own dtype.

    Why private: ``variable.value`` is cast to the compute dtype inside a layer's call.
    """
    return variable._value


def is_autocast(variable: keras.Variable) -> bool:
    """Whether a layer with ``autocast`` casts the variable to its compute dtype in calls.

    Why private: the constructor takes the flag; no public property returns it.
    """
    return variable._autocast


def unlock(layer: keras.Layer) -> None:
    """Lets a built layer track further layers and variables.

    Why private: Keras locks a layer when it is built, for some in their constructor, and a subclass
    may still have to add what it keeps.
    """
    layer._tracker.unlock()


def lock(layer: keras.Layer) -> None:
    """Locks a built layer again, as Keras does after ``build``.

    Why private: as for ``unlock``.
    """
    layer._lock_state()


def name_scope(layer: keras.Layer) -> AbstractContextManager:
    """Inside, paths of new variables begin with those of the layer, as in a call of it.

    Why private: a public ``keras.name_scope`` does not know the scopes that the layer was built in.
    """
    return layer._open_name_scope()
