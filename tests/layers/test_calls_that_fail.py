"""A call leaves nothing behind in an RNN, a cell or an attention: not when it ends in an exception,
not for another thread, not from one graph to the next.
"""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import INSIDE, KINDS, OUT, B, U, W, fill, fixed_point, q

from tests.arrays import floats
from tests.graphs import traced
from tq_halp import layers

kinds = pytest.mark.parametrize("kind", KINDS, ids=str)
ROLES = {"weights": W, "recurrent_weights": U, "bias": B}
X = floats(2, 5, 4)


class Stopped(Exception):
    """What a test raises in the middle of a call."""


def stop(x):
    raise Stopped


@keras.saving.register_keras_serializable(package="tests")
class StoppingCell(keras.layers.Layer):
    """A cell that stops the RNN it stands in, if told to."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.stops = True

    def call(self, inputs, states):
        if self.stops:
            raise Stopped
        return inputs, states


def plain_step(kind, cell, x, states):
    """The Keras cell with the quantized weights that the cell should have now."""
    plain = getattr(keras.layers, f"{kind.name}Cell")(cell.units, **kind.options)
    plain.build((None, x.shape[-1]))
    weights = [v.numpy() for v in cell.trainable_variables]
    plain.set_weights([q(w, m) for w, m in zip(weights, (W, U, B), strict=True)])
    return plain(x, states)[0]


def moved(layer):
    """Other weights than before, on no grid."""
    for k, variable in enumerate(layer.trainable_variables):
        variable.assign(floats(*variable.shape, seed=k + 50))


def states_of(kind, units):
    return [tf.constant(floats(2, units, seed=7 + k)) for k in range(kind.states)]


@kinds
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("cause", ["the cell after it", "the mask", "its activation"])
def test_after_an_exception_a_cell_by_itself_takes_its_weights_as_they_are(kind, graph, cause):
    cell = fill(kind.cell(3, **kind.roles(ROLES)), 4)
    after = StoppingCell(3)
    rnn = keras.layers.RNN([cell, after])
    rnn.build(X.shape)
    kwargs = {}
    if cause == "the mask":
        after.stops, kwargs = False, {"mask": tf.constant([[True], [False]])}
    elif cause == "its activation":
        after.stops, activation, cell.activation = False, cell.activation, stop
    call = traced(rnn) if graph else rnn
    with pytest.raises((Stopped, ValueError, tf.errors.OpError)):
        call(tf.constant(X), **kwargs)
    if cause == "its activation":
        cell.activation = activation
    moved(cell)
    x, states = tf.constant(X[:, 0]), states_of(kind, 3)
    for step in (cell, traced(cell), cell):
        got, _ = step(x, states)
        np.testing.assert_allclose(got, plain_step(kind, cell, x, states), rtol=1e-6, atol=1e-7)
        moved(cell)
        cell.kernel.assign(cell.kernel * 0.5)


@kinds
def test_a_loop_of_the_users_sees_every_change_of_the_weights(kind):
    """In a layer's call and outside, in two graphs and between them."""
    cell = fill(kind.cell(3, **kind.roles(ROLES)), 4)

    class Loop(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def call(self, x):
            states = cell.get_initial_state(batch_size=2)
            y, states = cell(x[:, 0], states)
            kernel = cell.trainable_weights[0]  # the variable, where an attribute is Q(W)
            kernel.assign(kernel * -0.5)
            return y, cell(x[:, 1], states)[0]

    for call in (Loop(), traced(Loop()), traced(Loop())):
        before = cell.kernel.numpy()
        first, second = call(tf.constant(X))
        states = keras.tree.flatten(cell.get_initial_state(batch_size=2))
        cell.kernel.assign(before)
        want, after = cell(tf.constant(X[:, 0]), states)
        np.testing.assert_allclose(first, want, rtol=1e-6)
        cell.kernel.assign(before * np.float32(-0.5))
        want = cell(tf.constant(X[:, 1]), after)[0]
        np.testing.assert_allclose(second, want, rtol=1e-6, atol=1e-7)


@kinds
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_after_an_exception_a_layer_starts_anew(kind, graph):
    """Its weights and its dropout masks too, which Keras would keep."""
    roles = kind.roles(INSIDE)
    options = dict(dropout=0.5, recurrent_dropout=0.5, seed=3, **roles)
    layer, other = (fill(kind.layer(3, **options), 4) for _ in range(2))
    activation, layer.cell.activation = layer.cell.activation, stop
    call = traced(layer) if graph else layer
    with pytest.raises(Stopped):
        call(tf.constant(X), training=True)
    layer.cell.activation = activation
    for each in (layer, other):
        moved(each)
        for generator in (v for v in each.variables if v.name == "seed_generator_state"):
            generator.assign([3, 0])
    np.testing.assert_array_equal(layer(X, training=True), other(X, training=True))


@kinds
def test_two_threads_call_one_layer_each_with_its_own_weights(kind):
    """While one call stands still, another one of the same layer begins and ends."""
    layer = fill(kind.layer(3, **kind.roles(ROLES)), 4)
    want = layer(X).numpy()
    activation, inside, go_on = layer.cell.activation, threading.Event(), threading.Event()

    def waiting(x):
        if threading.current_thread() is thread:
            inside.set()
            assert go_on.wait(60)
        return activation(x)

    got = []
    thread = threading.Thread(target=lambda: got.append(layer(X).numpy()))
    layer.cell.activation = waiting
    thread.start()
    assert inside.wait(60)
    here = layer(X).numpy()
    go_on.set()
    thread.join()
    np.testing.assert_array_equal(here, want)
    np.testing.assert_array_equal(got[0], want)


ATTENTION = {
    "multi_head": lambda **roles: layers.QuantMultiHeadAttention(2, 4, **roles),
    "grouped": lambda **roles: layers.QuantGroupQueryAttention(4, 4, 2, **roles),
}


@pytest.mark.parametrize("kind", ATTENTION)
def test_an_attention_whose_trace_failed_can_be_called(kind):
    roles = {"weights": W, "activations": fixed_point(4, "stochastic")}
    layer, other = (ATTENTION[kind](**roles, name="attention") for _ in range(2))
    for each in (layer, other):
        each.build(X.shape, X.shape)
        for k, variable in enumerate(each.trainable_variables):
            variable.assign(floats(*variable.shape, seed=k))
    projection, layer._output_dense = layer._output_dense, stop
    with pytest.raises(Stopped):
        traced(layer)(X, X, training=True)
    layer._output_dense = projection
    layer.rounding_counter.calls.assign(0)
    np.testing.assert_array_equal(layer(X, X, training=True), other(X, X, training=True))
    assert not [name for name, value in vars(layer).items() if isinstance(value, tf.Tensor)]


@pytest.mark.parametrize("kind", ATTENTION)
def test_two_threads_call_one_attention(kind):
    """One asks for the scores, and the other does not."""
    layer = ATTENTION[kind](weights=W, activations=OUT)
    layer.build(X.shape, X.shape)
    want = layer(X, X).numpy()
    scores = layer(X, X, return_attention_scores=True)[1].numpy()
    query, inside, go_on = layer._query_dense, threading.Event(), threading.Event()

    class Waiting(keras.layers.Layer):
        def call(self, x):
            if threading.current_thread() is thread:
                inside.set()
                assert go_on.wait(60)
            return query(x)

    got = []
    thread = threading.Thread(target=lambda: got.extend(layer(X, X, return_attention_scores=True)))
    layer._tracker.unlock()
    layer._query_dense = Waiting()
    thread.start()
    assert inside.wait(60)
    here = layer(X, X)
    go_on.set()
    thread.join()
    np.testing.assert_array_equal(here, want)
    np.testing.assert_array_equal(got[0], want)
    np.testing.assert_array_equal(got[1], scores)


def test_state_of_a_call_is_nowhere_in_a_layer():
    """After calls, eager and traced, no attribute of a layer or its parts is a tensor."""
    made = [kind.layer(3, **kind.roles(INSIDE)) for kind in KINDS]
    made += [keras.layers.RNN([kind.cell(3, **kind.roles(INSIDE)) for kind in KINDS])]
    for layer in made:
        for call in (layer, traced(layer)):
            call(tf.constant(X), training=True)
        for each in layer._flatten_layers():
            held = keras.tree.flatten(list(vars(each).values()))
            assert not [x for x in held if isinstance(x, tf.Tensor)]


@kinds
def test_dropout_masks_of_a_graph_do_not_reach_other_calls(kind):
    """Keras would hand the mask of the one to the other, which does not know it."""
    cell = fill(kind.cell(3, dropout=0.5, recurrent_dropout=0.5, **kind.roles(ROLES)), 4)
    x, states = tf.constant(X[:, 0]), states_of(kind, 3)
    first, second = (traced(lambda: cell(x, states, training=True)[0]) for _ in range(2))
    for call in (first, lambda: cell(x, states, training=True)[0], second, first):
        assert call().shape == (2, 3)
    eager = [cell(x, states, training=True)[0].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*eager)  # one mask for all time steps, until it is reset
