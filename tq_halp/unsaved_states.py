"""Keeps with a layer, when it is saved, what Keras leaves out of the file.

That is where seed generators are, and what stateful RNNs carry to the next batch.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from tq_halp.keras_internals.layers import flatten_layers, own_seed_generators

# What they are called in the file.
_SEED = "seed_generator_state"
_CARRIED = "carried_state"


def seed_states(layer: keras.Layer) -> list[keras.Variable]:
    """`[seed, number of draws]` of each `keras.random.SeedGenerator` in a layer or a model.

    Found as Keras itself finds them, by the generators that it tracks: a variable of the user's may
    have the same name.
    """
    generators = [each for part in flatten_layers(layer) for each in own_seed_generators(part)]
    return list({id(each.state): each.state for each in generators}.values())


def leaves_out_state(layer: keras.Layer) -> bool:
    """Whether Keras would save a layer, or one in it, without something that it goes on from."""
    return bool(seed_states(layer)) or any(each.stateful for each in _rnns(layer))


if TYPE_CHECKING:  # a mixin uses methods of the Keras class behind it
    from keras import Layer as _MixinBase
else:
    _MixinBase = object


class SavesStates(_MixinBase):
    """Mixin before a Keras layer: loaded, it goes on as it would have gone on.

    The states of the layer's seed generators and those that its stateful RNNs carry, and those of
    its sublayers, are saved beside its own variables. A file without them, such as one of plain
    Keras, loads as well, and carried states of another batch size are left in the file: they belong
    to other sequences.
    """

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        for key, state in self._states_to_save().items():
            store[key] = state

    def load_own_variables(self, store: Any) -> None:
        # Keras' layers count the keys.
        super().load_own_variables(saved_by_keras(store))
        restore(self._states_to_save(), store)

    def _states_to_save(self) -> dict[str, keras.Variable]:
        return states_left_out(self)


class SavesCarriedStates(SavesStates):
    """The same for what its layers, which save their seed generators themselves, carry."""

    def _states_to_save(self) -> dict[str, keras.Variable]:
        return carried_by_key(self)


def states_left_out(layer: keras.Layer) -> dict[str, keras.Variable]:
    """The states of a layer's seed generators and RNNs, each by its name in a file."""
    return _numbered(_SEED, seed_states(layer)) | carried_by_key(layer)


def saved_by_keras(store: Mapping) -> dict:
    """What a file holds of a layer beside ``states_left_out``."""
    return {key: store[key] for key in store.keys() if not key.startswith((_SEED, _CARRIED))}


def restore(states: Mapping[str, keras.Variable], store: Mapping) -> None:
    """Gives the states what a file holds of them; those of another shape stay as they are."""
    for key, state in states.items():
        if key in store.keys() and tuple(store[key].shape) == tuple(state.shape):
            state.assign(store[key])


def carried_by_key(layer: keras.Layer) -> dict[str, keras.Variable]:
    """What the stateful RNNs of a built layer carry, by its name in a file."""
    states = [each.states for each in _rnns(layer) if each.stateful and each.states is not None]
    return _numbered(_CARRIED, keras.tree.flatten(states))


def _numbered(name: str, variables: Iterable[keras.Variable]) -> dict[str, keras.Variable]:
    return {f"{name}_{index}": variable for index, variable in enumerate(variables)}


def _rnns(layer: keras.Layer) -> list[keras.layers.RNN]:
    return [each for each in flatten_layers(layer) if isinstance(each, keras.layers.RNN)]
