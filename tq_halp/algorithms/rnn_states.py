"""The states that stateful RNNs carry from batch to batch, also along w̃.

With truncated back-propagation a minibatch's gradient depends on the state the previous minibatches
left. The iterate's state is in its layers. ∇f_i(w̃) needs the one that w̃ would have left: it starts
from the iterate's at the snapshot, where the two coincide, and is carried on by w̃'s own passes.
"""

import keras
import tensorflow as tf

from tq_halp.keras_internals.layers import flatten_layers


def stateful_variables(model):
    """The state variables of a built model's stateful RNNs; Keras does not list them as weights."""
    layers = [
        layer
        for layer in flatten_layers(model)
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]
    return [state for layer in layers for state in keras.tree.flatten(layer.states)]


class RnnStates:
    """The states along w̃, beside those of the layers.

    Args:
        layers_states: ``stateful_variables`` of the model.
        anchors, seen: variables like these: what w̃'s passes left, and what the iterate's pass left
            after the last step.
    """

    def __init__(self, layers_states, anchors, seen):
        self._states, self._anchors, self._seen = layers_states, anchors, seen

    def mapping(self):
        """(state of a layer, value along w̃) pairs."""
        return [(s, a.value) for s, a in zip(self._states, self._anchors, strict=True)]

    def start(self):
        """At a snapshot: w̃ is the iterate, and so is its state."""
        for variables in (self._anchors, self._seen):
            for variable, state in zip(variables, self._states, strict=True):
                variable.assign(state.value)

    def follow(self):
        """Before a step: a state set by somebody else, by ``reset_states`` say, is w̃'s as well."""
        for state, anchor, seen in zip(self._states, self._anchors, self._seen, strict=True):
            is_set = tf.reduce_any(state.value != seen.value)
            anchor.assign(tf.where(is_set, state.value, anchor.value))

    def carry(self, values):
        """After a pass at w̃, which left ``values``."""
        for anchor, value in zip(self._anchors, values, strict=True):
            anchor.assign(value)

    def remember(self):
        """After a step."""
        for seen, state in zip(self._seen, self._states, strict=True):
            seen.assign(state.value)
