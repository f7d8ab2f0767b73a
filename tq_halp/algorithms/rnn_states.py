"""``RnnStates``: the states of stateful RNNs at w̃, beside those at w, which the layers hold.

With truncated back-propagation the gradient of a minibatch depends on the states that the previous
minibatches left. ∇f_i(w̃) needs the states that training at w̃ would have left. At a snapshot w̃ = w,
so both have the same states. From then on the passes at w̃ continue their own.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import flatten_layers


def stateful_variables(model: keras.Model) -> list[keras.Variable]:
    """The states of the stateful RNNs of a built model; Keras does not list them as weights."""
    layers = [
        layer
        for layer in flatten_layers(model)
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]
    return [state for layer in layers for state in keras.tree.flatten(layer.states)]


def check_order(model: keras.Model) -> None:
    """Raises InputError if the model has stateful RNNs, whose samples must not be shuffled."""
    if stateful_variables(model):
        raise InputError(
            "shuffle must be False: a stateful RNN carries its state from each sample to the "
            "one in the same place of the next batch"
        )


class RnnStates:
    """The states at w̃ and those at w.

    Args:
        layers_states: ``stateful_variables`` of the model: the states at w.
        anchors: variables like these for the states at w̃.
        seen: variables like these for the states at w as the last step left them.
    """

    def __init__(
        self,
        layers_states: list[keras.Variable],
        anchors: list[keras.Variable],
        seen: list[keras.Variable],
    ):
        self._states, self._anchors, self._seen = layers_states, anchors, seen

    def mapping(self) -> list[tuple[keras.Variable, tf.Tensor]]:
        """(state of a layer, its value at w̃) pairs, for ``gradients_at``."""
        return [(s, a.value) for s, a in zip(self._states, self._anchors, strict=True)]

    def start(self) -> None:
        """Called at a snapshot: the states at w̃ become those at w."""
        for variables in (self._anchors, self._seen):
            for variable, state in zip(variables, self._states, strict=True):
                variable.assign(state.value)

    def follow(self) -> None:
        """Called before a step: what the user has set at w, with ``reset_states``, is set at w̃."""
        for state, anchor, seen in zip(self._states, self._anchors, self._seen, strict=True):
            is_set = tf.reduce_any(state.value != seen.value)
            anchor.assign(tf.where(is_set, state.value, anchor.value))

    def carry(self, values: Sequence[tf.Tensor]) -> None:
        """Called after a pass at w̃, which left the states ``values``."""
        for anchor, value in zip(self._anchors, values, strict=True):
            anchor.assign(value)

    def remember(self) -> None:
        """Called after a step: keeps the states at w, to which ``follow`` compares them."""
        for seen, state in zip(self._seen, self._states, strict=True):
            seen.assign(state.value)
