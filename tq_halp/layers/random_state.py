"""Keeps with a layer, when it is saved, where its seed generators are: Keras leaves them out."""

# Keras' name for the variable that a `keras.random.SeedGenerator` holds, and ours in the file.
_STATE = "seed_generator_state"


def has_random_state(layer) -> bool:
    """Whether a layer, or one in it, draws random numbers as it is called."""
    return any(variable.name == _STATE for variable in layer.variables)


class SavesRandomState:
    """Mixin before a Keras layer: a loaded layer draws the dropout masks that it would have drawn.

    The states of the layer's seed generators, and of those of its sublayers, are saved beside the
    layer's own variables. A file without them, such as one of plain Keras, loads as well.
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(self._seed_states()):
            store[f"{_STATE}_{index}"] = state

    def load_own_variables(self, store):
        own = {key: store[key] for key in store.keys() if not key.startswith(_STATE)}
        # Keras' layers count the keys.
        super().load_own_variables(own)
        for index, state in enumerate(self._seed_states()):
            if f"{_STATE}_{index}" in store.keys():
                state.assign(store[f"{_STATE}_{index}"])

    def _seed_states(self):
        return [variable for variable in self.variables if variable.name == _STATE]
