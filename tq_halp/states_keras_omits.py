"""Saves with a layer the states that Keras leaves out of files.

These are the states of seed generators, and those that stateful RNNs carry to the next batch.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from tq_halp.keras_internals.layers import flatten_layers, own_seed_generators
from tq_halp.mixin_typing import MixinBase

# The keys of the states in a file.
_SEED = "seed_generator_state"
_CARRIED = "carried_state"


def seed_states(layer: keras.Layer) -> list[keras.Variable]:
    """The state `[seed, number of draws]` of each `keras.random.SeedGenerator` in a layer or model.

    They are found by the generators that Keras tracks, as Keras itself does: a variable of the
    user's may have the same name.
    """
    generators = [each for part in flatten_layers(layer) for each in own_seed_generators(part)]
    return list({id(each.state): each.state for each in generators}.values())


def leaves_out_state(layer: keras.Layer) -> bool:
    """Whether Keras would save a layer without the state of a generator or RNN in it."""
    return bool(seed_states(layer)) or any(each.stateful for each in _rnns(layer))


class SavesStates(MixinBase):
    """Mixin before a Keras layer that saves those states beside its variables.

    It saves the states of the layer's seed generators, those that its stateful RNNs carry, and
    those of its sublayers. A file without them, such as one of plain Keras, can be loaded too.
    Carried states of another batch size are not loaded: they belong to other sequences.
    """

    def save_own_variables(self, store: Any) -> None:
        """Writes the layer's variables and states to `store`."""
        super().save_own_variables(store)
        for key, state in self._states_to_save().items():
            store[key] = state

    def load_own_variables(self, store: Any) -> None:
        """Reads the layer's variables, and the states that fit, from `store`."""
        # Without our keys: Keras' layers check the number of keys.
        super().load_own_variables(saved_by_keras(store))
        restore(self._states_to_save(), store)

    def _states_to_save(self) -> dict[str, keras.Variable]:
        return states_left_out(self)


class SavesCarriedStates(SavesStates):
    """As SavesStates, for a model whose layers save their seed generators themselves."""

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
    """Key in a file -> state, for the states that the stateful RNNs of a built layer carry."""
    states = [each.states for each in _rnns(layer) if each.stateful and each.states is not None]
    return _numbered(_CARRIED, keras.tree.flatten(states))


def _numbered(name: str, variables: Iterable[keras.Variable]) -> dict[str, keras.Variable]:
    return {f"{name}_{index}": variable for index, variable in enumerate(variables)}


def _rnns(layer: keras.Layer) -> list[keras.layers.RNN]:
    return [each for each in flatten_layers(layer) if isinstance(each, keras.layers.RNN)]
