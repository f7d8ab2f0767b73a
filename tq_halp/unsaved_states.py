"""Keeps with a layer, when it is saved, what Keras leaves out of the file.

That is where seed generators are, and what stateful RNNs carry to the next batch.
"""

from collections.abc import Iterable
from typing import Any

import keras

# What they are called in the file.
_SEED = "seed_generator_state"
_CARRIED = "carried_state"


def seed_states(layer: keras.Layer) -> list[keras.Variable]:
    """`[seed, number of draws]` of each `keras.random.SeedGenerator` in a layer or a model.

    Found as Keras itself finds them, by the generators that it tracks: a variable of the user's may
    have the same name.
    """
    # Keras has no public list of a layer's generators.
    generators = [each for part in layer._flatten_layers() for each in part._seed_generators]
    return list({id(each.state): each.state for each in generators}.values())


def leaves_out_state(layer: keras.Layer) -> bool:
    """Whether Keras would save a layer, or one in it, without something that it goes on from."""
    return bool(seed_states(layer)) or any(each.stateful for each in _rnns(layer))


class SavesStates:
    """Mixin before a Keras layer: loaded, it goes on as it would have gone on.

    The states of the layer's seed generators and those that its stateful RNNs carry, and those of
    its sublayers, are saved beside its own variables. A file without them, such as one of plain
    Keras, loads as well, and carried states of another batch size are left in the file: they belong
    to other sequences.
    """

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)  # type: ignore[misc]
        for key, state in self._states_to_save().items():
            store[key] = state

    def load_own_variables(self, store: Any) -> None:
        own = {key: store[key] for key in store.keys() if not key.startswith((_SEED, _CARRIED))}
        # Keras' layers count the keys.
        super().load_own_variables(own)  # type: ignore[misc]
        for key, state in self._states_to_save().items():
            if key in store.keys() and tuple(store[key].shape) == tuple(state.shape):
                state.assign(store[key])

    def _states_to_save(self) -> dict[str, keras.Variable]:
        return _numbered(_SEED, seed_states(self)) | carried_by_key(self)


class SavesCarriedStates(SavesStates):
    """The same for what its layers, which save their seed generators themselves, carry."""

    def _states_to_save(self) -> dict[str, keras.Variable]:
        return carried_by_key(self)


def carried_by_key(layer: keras.Layer) -> dict[str, keras.Variable]:
    """What the stateful RNNs of a built layer carry, by its name in a file."""
    states = [each.states for each in _rnns(layer) if each.stateful and each.states is not None]
    return _numbered(_CARRIED, keras.tree.flatten(states))


def _numbered(name: str, variables: Iterable[keras.Variable]) -> dict[str, keras.Variable]:
    return {f"{name}_{index}": variable for index, variable in enumerate(variables)}


def _rnns(layer: keras.Layer) -> list[keras.layers.RNN]:
    return [each for each in layer._flatten_layers() if isinstance(each, keras.layers.RNN)]
