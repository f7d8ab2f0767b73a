"""SimpleRNN, GRU and LSTM: every tensor quantized, against NumPy, at every time step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import (
    INSIDE,
    KINDS,
    OUT,
    STATE,
    W,
    eighths,
    fill,
    fixed_point,
    q,
    ramp,
)

from tests.arrays import floats
from tq_halp import quantizers

kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture
def captured(monkeypatch):
    """Everything that any quantizer returns while layers run eagerly: [(quantizer, tensor)]."""
    seen = []
    plain = quantizers.Quantizer.__call__

    def call(self, x, *args, **kwargs):
        y = plain(self, x, *args, **kwargs)
        seen.append((self, y.numpy()))
        return y

    monkeypatch.setattr(quantizers.Quantizer, "__call__", call)
    return seen


@kinds
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unroll"])
def test_every_time_step_equals_the_numpy_loop(kind, unroll):
    """Equality: all products, sums and activations are exact in float32."""
    layer = kind.layer(
        5,
        return_sequences=True,
        return_state=True,
        unroll=unroll,
        activations=OUT,
        **kind.roles(INSIDE),
        **kind.activations,
    )
    x = eighths(3, 6, 4)
    fill(layer, 4, values=eighths)
    want = kind.oracle(x, layer.get_weights())
    for steps in (1, 2, 6):
        y, *states = layer(x[:, :steps])
        for got, state in zip(states, want[steps - 1], strict=True):
            np.testing.assert_array_equal(got, state)
        np.testing.assert_array_equal(y, q(np.stack([h for h, *_ in want[:steps]], 1), OUT))
    assert len({h.tobytes() for h, *_ in want}) == 6


@kinds
def test_every_tensor_is_on_its_grid_inside_the_call(kind, captured):
    """Every role has a step of its own; each tensor comes by as often as the formula says."""
    roles = kind.roles({**INSIDE, "activations": fixed_point(2), "gradients": fixed_point(1)})
    roles["errors"] = fixed_point(0)
    layer = fill(kind.layer(5, return_sequences=True, unroll=True, **roles), 4)
    with tf.GradientTape() as tape:
        y = layer(floats(2, 3, 4))
        loss = tf.reduce_sum(4 * y**2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    for quantizer, value in captured:
        step = quantizer.format.step
        np.testing.assert_array_equal(value, np.rint(value / step) * step)
    times = {
        role: sum(q.format.step == 2.0 ** -m["frac_bits"] for q, _ in captured)
        for role, m in roles.items()
    }
    gates = {"SimpleRNN": 0, "GRU": 3, "LSTM": 4}[kind.name]
    assert times.pop("gates", 0) == 3 * gates
    # Once per state and step, and once for the states that the call starts with.
    assert times.pop("state") == kind.states * (3 + 1)
    assert times == {
        "weights": 2,  # and the output, which has the same step
        "recurrent_weights": 1,
        "bias": 1,
        "activations": 2,
        "gradients": 3,
        "errors": 1,
    }
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.rint(np.array(gradient) / 0.5) * 0.5)
        assert np.any(gradient != 0)


@kinds
def test_a_given_initial_state_is_quantized(kind):
    layer = fill(kind.layer(5, **kind.roles(INSIDE), **kind.activations), 4, values=eighths)
    x, states = eighths(2, 3, 4), [floats(2, 5, seed=k) for k in range(kind.states)]
    want = kind.oracle(x, layer.get_weights(), [q(state, STATE) for state in states])
    np.testing.assert_array_equal(layer(x, initial_state=states), want[-1][0])


@kinds
def test_without_quantizers_it_is_the_keras_layer(kind):
    """Bit for bit: weights from one seed, output, gradients, and those after a call more."""
    options = dict(return_sequences=True, dropout=0.4, recurrent_dropout=0.2, seed=3)
    results = []
    for make in (kind.keras, kind.layer):
        keras.utils.set_random_seed(7)
        layer = make(3, **options)
        x = floats(2, 5, 4)
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        gradients = tape.gradient(y, layer.trainable_variables)
        results.append([y, *gradients, layer(x, training=True), layer(x)])
        # The seeds that come next, too.
        results[-1].append(keras.layers.Dense(3)(y))
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(got, want)


OPTIONS = [
    dict(go_backwards=True, return_sequences=True),
    dict(unroll=True),
    dict(stateful=True),
    dict(dropout=0.4, seed=3, use_bias=False),
    dict(recurrent_dropout=0.4, dropout=0.3, seed=3, return_sequences=True, unroll=True),
    dict(dtype="mixed_bfloat16", return_state=True),
]


@kinds
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o))
def test_options_work_as_in_keras(kind, options):
    """Equal to Keras' layer with the quantized weights, twice in a row, with dropout, then with a
    mask."""
    plain, layer = kind.keras(3, **options), kind.layer(3, weights=W, bias=W, **options)
    x = floats(2, 5, 4)
    mask = tf.constant([[True, True, False, True, False], [False, True, True, True, True]])
    fill(layer, 4)
    plain.build(x.shape)
    for theirs, ours in zip(plain.trainable_variables, layer.trainable_variables, strict=True):
        theirs.assign(q(ours.numpy(), W))
    for given in (None, mask, mask):
        got, want = (f(x, mask=given, training=True) for f in (layer, plain))
        for ours, theirs in zip(keras.tree.flatten(got), keras.tree.flatten(want), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(*(np.float32(y) for y in (ours, theirs)))


@kinds
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unroll"])
def test_random_bits_of_states_depend_on_the_time_step_alone(kind, unroll):
    """The documented bits: counter n * 2^32 + t for step t = 1, 2, ..., however the loop runs."""
    ramps = {} if kind.name == "SimpleRNN" else {"recurrent_activation": ramp}
    layer = kind.layer(
        64,
        name="rnn",
        activation="linear",
        return_sequences=True,
        unroll=unroll,
        state=fixed_point(1, "stochastic"),
        **ramps,
    )
    layer.build((1, 3, 1))
    for variable in layer.trainable_variables:
        variable.assign(variable * 0)
    # Nothing recurs, and every state is 0.3 before it is rounded.
    bias = {"SimpleRNN": [0.3], "GRU": [-9, 0, 0.3], "LSTM": [9, -9, 0.3, 9]}[kind.name]
    bias = np.repeat(np.float32(bias), 64)
    shape = layer.cell.bias.shape
    layer.cell.bias.assign(bias if len(shape) == 1 else np.stack([bias, 0 * bias]))
    quantizer = layer.quantizers["state"]
    quantizer = quantizer.derive("rnn/cell_state" if kind.states == 2 else "rnn/hidden_state")
    for n in range(2):
        y = layer(np.zeros([1, 3, 1], np.float32), training=True)
        for t in range(3):
            bits = quantizer(np.full([1, 64], 0.3, np.float32), n * 2**32 + t + 1)
            np.testing.assert_array_equal(y[:, t], bits)


@kinds
def test_training_in_a_graph_repeats_eager_training(kind):
    """One step of `fit` against the same by hand, random bits and all."""
    s = fixed_point(5, "stochastic")
    roles = kind.roles(dict.fromkeys([*INSIDE, "activations", "gradients", "errors"], s))
    after = []
    for run_eagerly in (False, True):
        keras.utils.set_random_seed(1)
        layer = kind.layer(3, name="rnn", **roles)
        model = keras.Sequential([keras.Input((4, 2)), layer])
        model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=run_eagerly)
        x = floats(4, 4, 2)
        model.fit(x, np.ones([4, 3], np.float32), batch_size=2, verbose=0, shuffle=False)
        assert layer.rounding_counter.calls.numpy() == 2
        after.append(layer.get_weights())
    for graph, eager in zip(*after, strict=True):
        np.testing.assert_array_equal(graph, eager)
