"""Quantized cells in Keras' own RNN layers, and quantized layers inside Keras' wrappers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import INSIDE, KINDS, OUT, W, eighths, fill, fixed_point, q, train_and_reload

from tests.arrays import floats
from tests.graphs import traced
from tq_halp import InputError, layers

kinds = pytest.mark.parametrize("kind", KINDS, ids=str)
S = fixed_point(4, "stochastic")


@kinds
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unroll"])
def test_a_cell_in_an_rnn_equals_the_numpy_loop(kind, unroll):
    cell = kind.cell(5, activations=OUT, **kind.roles(INSIDE), **kind.activations)
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True, unroll=unroll)
    x = eighths(3, 4, 4)
    rnn.build(x.shape)
    fill(cell, 4, values=eighths)
    want = kind.oracle(x, cell.get_weights())
    y, *states = rnn(x)
    np.testing.assert_array_equal(y, q(np.stack([h for h, *_ in want], 1), OUT))
    for got, state in zip(states, want[-1], strict=True):
        np.testing.assert_array_equal(got, state)


@kinds
def test_a_cell_by_itself_makes_one_step(kind):
    cell = fill(kind.cell(5, **kind.roles(INSIDE), **kind.activations), 4, values=eighths)
    x, states = eighths(2, 1, 4), [eighths(2, 5, seed=k) for k in range(kind.states)]
    want = kind.oracle(x, cell.get_weights(), states)[0]
    y, new = cell(x[:, 0], [tf.constant(state) for state in states])
    np.testing.assert_array_equal(y, want[0])
    for got, state in zip(new, want, strict=True):
        np.testing.assert_array_equal(got, state)


@kinds
def test_a_cell_without_quantizers_is_the_keras_cell(kind):
    results = []
    for make in (
        getattr(keras.layers, f"{kind.name}Cell"),
        getattr(layers, f"Quant{kind.name}Cell"),
    ):
        keras.utils.set_random_seed(7)
        cell = make(3, dropout=0.3, recurrent_dropout=0.3, seed=1, **kind.options)
        rnn = keras.layers.RNN([cell, make(2, **kind.options)], return_sequences=True)
        results.append([rnn(floats(2, 5, 4), training=True), rnn(floats(2, 5, 4))])
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(got, want)


@kinds
def test_stacked_cells_equal_stacked_layers(kind):
    """Two cells in one RNN are two RNNs: what the first puts out, quantized, the second gets."""
    roles = {**kind.roles(INSIDE), "activations": OUT}
    cells = [kind.cell(units, **roles, **kind.activations) for units in (5, 3)]
    x = eighths(2, 4, 4)
    stacked = keras.layers.RNN(keras.layers.StackedRNNCells(cells), return_sequences=True)
    stacked.build(x.shape)
    y = x
    for cell, features in zip(cells, (4, 5), strict=True):
        fill(cell, features, values=eighths)
        layer = kind.layer(cell.units, return_sequences=True, **roles, **kind.activations)
        layer.build(y.shape)
        layer.set_weights(cell.get_weights())
        y = layer(y)
    np.testing.assert_array_equal(stacked(x), y)


@kinds
@pytest.mark.parametrize("options", [{}, dict(unroll=True), dict(stateful=True)], ids=str)
def test_weights_are_quantized_once_a_call_and_states_at_every_step(kind, options, monkeypatch):
    calls = []
    cells = [kind.cell(4, **kind.roles(dict.fromkeys(INSIDE, S))) for _ in range(2)]
    for cell in cells:
        fix = cell.fix
        monkeypatch.setattr(cell, "fix", lambda *a, fix=fix: calls.append(a) or fix(*a))
    rnn = keras.layers.RNN(cells, return_sequences=True, **options)
    x = floats(2, 5, 4)
    rnn.build(x.shape)
    step = traced(lambda training: rnn(x, training=training))
    for run in (rnn, step):
        calls.clear()
        run(*([x] if run is rnn else []), training=True)
        assert len(calls) == 2
    counters = [cell.rounding_counter.calls.numpy() for cell in cells]
    assert counters == [2, 2]
    y = step(training=False)
    assert [cell.rounding_counter.calls.numpy() for cell in cells] == counters
    assert np.all(y * 16 == np.rint(y * 16))
    if not options:
        np.testing.assert_array_equal(y, step(training=False))


def test_random_bits_of_a_cell_differ_from_step_to_step():
    """Also in Keras' own RNN, which tells its cell nothing about the time."""
    cell = layers.QuantSimpleRNNCell(64, activation="linear", state=fixed_point(1, "stochastic"))
    rnn = keras.layers.RNN(cell, return_sequences=True)
    rnn.build((1, 5, 1))
    for variable, value in zip(rnn.trainable_variables, (0, 0, 0.3), strict=True):
        variable.assign(variable * 0 + value)
    y = rnn(np.zeros([1, 5, 1], np.float32)).numpy()[0]
    assert set(np.unique(y)) == {0, 0.5}
    assert len({step.tobytes() for step in y}) == 5


def test_cells_in_stateless_scopes_from_one_state_see_the_same_bits():
    """As HALP runs a model: twice in one graph, from one state, which it then takes over or not."""
    rnn = keras.layers.RNN([layers.QuantGRUCell(16, state=S, weights=S, gates=S, seed=1)])
    x = floats(2, 5, 3)
    rnn.build(x.shape)

    @tf.function
    def call():
        with keras.StatelessScope([(v, v.value) for v in rnn.variables]) as scope:
            y = rnn(x, training=True)
        return y, scope.get_current_value(rnn.cell.cells[0].rounding_counter.calls)

    (first, after), (second, _) = call(), call()
    np.testing.assert_array_equal(first, second)
    assert after == 1
    np.testing.assert_array_equal(rnn(x, training=True), first)
    assert np.any(rnn(x, training=True) != first)


def test_after_an_exception_in_the_loop_weights_are_quantized_anew():
    cell = layers.QuantSimpleRNNCell(3, weights=W)
    rnn = keras.layers.RNN(cell)
    x = floats(2, 5, 4)
    rnn.build(x.shape)
    with pytest.raises(tf.errors.InvalidArgumentError):
        rnn(x, initial_state=[np.zeros([2, 7], np.float32)])
    cell.kernel.assign(cell.kernel * 2 + 1)
    plain = keras.layers.SimpleRNN(3)
    plain.build(x.shape)
    plain.set_weights([q(w, m) for w, m in zip(cell.get_weights(), (W, W, W), strict=True)])
    np.testing.assert_array_equal(rnn(x), plain(x))


def test_stacked_cells_are_saved_and_go_on_after_loading(tmp_path):
    roles = dict.fromkeys([*INSIDE, "activations", "gradients", "errors"], S)
    cells = [layers.QuantLSTMCell(3, **roles), layers.QuantGRUCell(2, **roles)]
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.RNN(cells)])
    train_and_reload(model, tmp_path, floats(4, 3, 2), np.ones([4, 2], np.float32))


@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_bidirectional_runs_its_two_layers_quantized(merge_mode):
    inner = layers.QuantLSTM(3, return_sequences=True, weights=W, name="lstm")
    both = keras.layers.Bidirectional(inner, merge_mode=merge_mode)
    x, mask = floats(2, 5, 4), tf.constant([[True] * 4 + [False], [True, False] * 2 + [True]])
    plain = keras.layers.Bidirectional(
        keras.layers.LSTM(3, return_sequences=True, use_cudnn=False), merge_mode=merge_mode
    )
    for each in (both, plain):
        each.build(x.shape)
    assert both.forward_layer.name == "forward_lstm"
    assert both.backward_layer.quantizers == inner.quantizers
    weights = [floats(*w.shape, seed=k) for k, w in enumerate(both.trainable_variables)]
    for k, variable in enumerate(both.trainable_variables):
        variable.assign(weights[k])
    # Biases, the last of each three, have no quantizer.
    plain.set_weights([w if k % 3 == 2 else q(w, W) for k, w in enumerate(weights)])
    for got, want in zip(
        keras.tree.flatten(both(x, mask=mask)), keras.tree.flatten(plain(x, mask=mask)), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("steps", [3, None], ids=["static", "dynamic"])
def test_time_distributed_runs_its_layer_quantized(steps, tmp_path):
    roles = dict.fromkeys(["weights", "bias", "activations", "gradients", "errors"], S)
    inner = layers.QuantDense(2, **roles)
    model = keras.Sequential([keras.Input((steps, 4)), keras.layers.TimeDistributed(inner)])
    x = floats(4, 3, 4)
    y = model(x)
    assert np.all(y * 16 == np.rint(y * 16))
    train_and_reload(model, tmp_path, x, np.ones([4, 3, 2], np.float32))


def wrapped(rnn):
    """The RNN in a `TimeDistributed`, which runs it by its `call`, once for each of one step."""
    wrapper = keras.layers.TimeDistributed(rnn)
    return lambda x: wrapper(x[:, None])[:, 0]


@kinds
def test_random_bits_are_those_of_the_number_of_a_step_however_an_rnn_loops(kind):
    """And those of the first step are those of the cell by itself."""
    cell = kind.cell(5, name="c", **kind.roles(dict.fromkeys(INSIDE, S)), **kind.activations)
    loop = keras.layers.RNN(cell, return_sequences=True)
    unrolled = keras.layers.RNN(cell, return_sequences=True, unroll=True)
    x = tf.constant(floats(2, 4, 3))
    loop.build(x.shape)
    fill(cell, 3)
    layer = kind.layer(
        5, name="c", return_sequences=True, **kind.roles(dict.fromkeys(INSIDE, S)),
        **kind.activations,
    )  # fmt: skip
    layer.build(x.shape)
    layer.set_weights(cell.get_weights())
    y = loop(x)
    same = keras.layers.SimpleRNNCell(
        5, activation=None, kernel_initializer="identity", recurrent_initializer="zeros"
    )
    model = keras.Sequential([keras.Input(x.shape[1:]), loop])
    runs = {
        "unrolled": unrolled,
        "graph": traced(loop),
        "unrolled graph": traced(unrolled),
        "wrapped": wrapped(loop),
        "unrolled and wrapped": wrapped(unrolled),
        "layer": layer,
        "model": model,
        "stack": keras.layers.RNN([cell, same], return_sequences=True),
        "unrolled stack": keras.layers.RNN([cell, same], return_sequences=True, unroll=True),
    }
    for name, run in runs.items():
        np.testing.assert_array_equal(run(x), y, err_msg=name)
    first, _ = cell(x[:, 0], [tf.zeros((2, 5))] * kind.states)
    np.testing.assert_array_equal(first, y[:, 0])


def test_a_stochastic_cell_of_two_rnns_that_nobody_can_tell_apart_is_an_error():
    class Either(keras.layers.Layer):
        def __init__(self, *rnns):
            super().__init__()
            self.rnns = rnns

        def build(self, shape):
            assert self.rnns[0].cell.built

        def call(self, x):
            return self.rnns[0].call(x)

    cell = layers.QuantGRUCell(3, state=S)
    loop = keras.layers.RNN(cell)
    loop.build((2, 4, 3))
    either = Either(loop, keras.layers.RNN(cell, unroll=True))
    with pytest.raises(
        InputError, match="and if several, all with unroll or all without. Received: .*, "
    ):
        either(floats(2, 4, 3))
    np.testing.assert_array_equal(Either(loop)(floats(2, 4, 3)), loop(floats(2, 4, 3)))
