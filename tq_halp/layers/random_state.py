"""Keeps with a layer, when it is saved, where its seed generators are: Keras leaves them out."""

from tq_halp.quantizers.seeds import seed_states

# The name of a state in the file.
_STATE = "seed_generator_state"


def has_random_state(layer) -> bool:
    """Whether a layer, or one in it, draws random numbers as it is called."""
    return bool(seed_states(layer))


class SavesRandomState:
    """Mixin before a Keras layer: a loaded layer draws the dropout masks that it would have drawn.

    The states of the layer's seed generators, and of those of its sublayers, are saved beside the
    layer's own variables. A file without them, such as one of plain Keras, loads as well.
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(seed_states(self)):
            store[f"{_STATE}_{index}"] = state

    def load_own_variables(self, store):
        own = {key: store[key] for key in store.keys() if not key.startswith(_STATE)}
        # Keras' layers count the keys.
        super().load_own_variables(own)
        for index, state in enumerate(seed_states(self)):
            if f"{_STATE}_{index}" in store.keys():
                state.assign(store[f"{_STATE}_{index}"])
