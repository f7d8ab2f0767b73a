"""The quantized LSTM against a NumPy loop, and Keras' options with it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.arrays import floats
from tq_halp import quantizers
from tq_halp.layers import QuantLSTM

W = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4}
U = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3}
STATE = {"format": "fixed_point", "word_bits": 8, "frac_bits": 5}
GATE = {"format": "fixed_point", "word_bits": 4, "frac_bits": 3}
OUT = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}
STOCHASTIC = {**STATE, "rounding": "stochastic"}


def weighted(layer, features):
    layer.build((None, None, features))
    for k, variable in enumerate(layer.trainable_variables):
        variable.assign(floats(*variable.shape, seed=k))
    return layer


def is_on_grid(x, step):
    return bool(np.all(np.asarray(x) / step == np.rint(np.asarray(x) / step)))


def q(x, mapping):
    """Nearest even on a signed fixed-point grid, in NumPy."""
    step, top = 2.0 ** -mapping["frac_bits"], 2 ** (mapping["word_bits"] - 1)
    return (np.clip(np.rint(x / step), -top, top - 1) * step).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(x, kernel, recurrent_kernel, bias):
    """The formula of QuantLSTM's docstring, one line a line; h_t and c_t of every time step."""
    w, u, b = q(kernel, W), q(recurrent_kernel, U), q(bias, STATE)
    h = c = np.zeros([len(x), len(u)], np.float32)
    hs, cs = [], []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        i, f, o = (q(sigmoid(z), GATE) for z in (i, f, o))
        c = q(f * c + i * q(np.tanh(g), GATE), STATE)
        h = q(o * np.tanh(c), STATE)
        hs.append(h)
        cs.append(c)
    return np.stack(hs, 1), np.stack(cs, 1)


def test_every_time_step_equals_the_numpy_loop():
    """Equality: TensorFlow's and NumPy's tanh and matmul differ in the last bits only, so a gate or
    state would have to lie within 1e-6 of the middle between two grid points to be rounded
    otherwise; with these fixed weights none does."""
    x = floats(3, 6, 4)
    layer = weighted(
        QuantLSTM(
            5,
            return_sequences=True,
            return_state=True,
            weights=W,
            recurrent_weights=U,
            bias=STATE,
            gates=GATE,
            state=STATE,
            activations=OUT,
        ),
        features=4,
    )
    hs, cs = numpy_lstm(x, *layer.get_weights())
    for steps in range(1, 7):
        y, h, c = layer(x[:, :steps])
        np.testing.assert_array_equal(h, hs[:, steps - 1])
        np.testing.assert_array_equal(c, cs[:, steps - 1])
        np.testing.assert_array_equal(y, q(hs[:, :steps], OUT))


def test_recurrent_weights_default_to_weights():
    given = quantizers.get(W)
    assert QuantLSTM(3, weights=W).quantizers["recurrent_weights"] == given
    assert QuantLSTM(3, weights=W, recurrent_weights=U).quantizers["weights"] == given
    plain = QuantLSTM(3, weights=W, recurrent_weights="none")
    assert plain.quantizers["recurrent_weights"] is None
    assert QuantLSTM.from_config(plain.get_config()).quantizers == plain.quantizers


OPTIONS = [
    dict(go_backwards=True),
    dict(unroll=True),
    dict(stateful=True),
    dict(return_sequences=True, unroll=True),
    dict(return_sequences=True, go_backwards=True),
    dict(dropout=0.4, seed=3),
    dict(dropout=0.4, recurrent_dropout=0.4, seed=3, return_sequences=True),
    dict(recurrent_dropout=0.4, seed=3, unroll=True),
    dict(activation="relu", recurrent_activation="hard_sigmoid"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o))
def test_options_work_as_in_keras(options):
    """Equal to Keras' layer with the quantized weights, twice in a row, with dropout, then with a
    mask."""
    plain = keras.layers.LSTM(3, use_cudnn=False, **options)
    layer = QuantLSTM(3, weights=W, bias=W, **options)
    x = floats(2, 5, 4)
    mask = tf.constant([[True, True, False, True, False], [False, True, True, True, True]])
    for each in (plain, layer):
        each.build(x.shape)
    for k, (theirs, ours) in enumerate(
        zip(plain.trainable_variables, layer.trainable_variables, strict=True)
    ):
        ours.assign(floats(*ours.shape, seed=k))
        theirs.assign(q(ours.numpy(), W))
    for given in (None, mask, mask):
        got, want = (f(x, mask=given, training=True) for f in (layer, plain))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("options", [{}, dict(unroll=True), dict(stateful=True)], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
def test_stochastic_states_are_on_the_grid_and_differ_from_step_to_step(options, masked):
    layer = QuantLSTM(64, return_sequences=True, state=STOCHASTIC, gates=GATE, **options)
    # Weights of zero and f = 0: no step depends on the one before, so only the bits can differ.
    x = np.zeros([2, 5, 1], np.float32)
    mask = tf.constant([[True] * 5, [True, False, True, False, True]]) if masked else None
    layer.build(x.shape)
    kernel, recurrent_kernel, bias = layer.trainable_variables
    kernel.assign(kernel * 0)
    recurrent_kernel.assign(recurrent_kernel * 0)
    bias.assign(np.repeat(np.float32([0.3, -100.0, 0.7, 0.3]), 64))
    y = layer(x, mask=mask).numpy()
    assert y.shape == (2, 5, 64)
    assert is_on_grid(y, 1 / 32)
    assert len({step.tobytes() for step in y[0]}) == 5
    if masked:
        np.testing.assert_array_equal(y[1, 0], y[1, 1])
        np.testing.assert_array_equal(y[1, 2], y[1, 3])
        assert len({step.tobytes() for step in y[1]}) == 3
    else:
        assert np.any(y[0] != y[1])


def test_weights_are_quantized_once_a_call():
    """All time steps see one rounding of W: with f = 1, o = 1 and the rest constant, the cell grows
    by the same amount every step, although W lies between grid points."""
    layer = QuantLSTM(
        8,
        activation="linear",
        recurrent_activation="linear",
        unit_forget_bias=False,
        return_sequences=True,
        weights={**W, "rounding": "stochastic"},
        recurrent_weights="none",
    )
    layer.build((1, 5, 1))
    kernel, recurrent_kernel, bias = layer.trainable_variables
    kernel.assign(np.full([1, 32], 0.53, np.float32) * np.repeat([0, 0, 1, 0], 8))
    recurrent_kernel.assign(recurrent_kernel * 0)
    bias.assign(np.repeat(np.float32([1, 1, 0, 1]), 8))
    y = layer(np.ones([1, 5, 1], np.float32), training=True).numpy()[0]
    # o = 1 and a linear activation: h = c.
    growth = np.diff(y, axis=0)
    np.testing.assert_array_equal(growth, np.broadcast_to(y[0], growth.shape))
    assert set(np.unique(y[0])) == {0.5, 0.5625}


def test_gradient_flows_through_quantized_steps():
    """Straight through: quantizers too fine to change anything leave Keras' gradient."""
    fine = {"format": "fixed_point", "word_bits": 60, "frac_bits": 40}
    layer = weighted(QuantLSTM(3, weights=fine, state=fine, gates=fine, bias=fine), features=4)
    plain = weighted(keras.layers.LSTM(3, use_cudnn=False), features=4)
    x = floats(2, 5, 4)
    gradients = []
    for each in (layer, plain):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(each(x) ** 2)
        gradients.append(tape.gradient(loss, each.trainable_variables))
    for got, want in zip(*gradients, strict=True):
        # Steps of 2^-40 against float32's 2^-24: equal up to the order of the additions.
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
