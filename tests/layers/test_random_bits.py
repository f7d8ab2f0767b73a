"""Stochastic rounding in layers: when the bits change, and when they must not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.graphs import traced
from tests.mappings import make_map
from tq_halp.layers import QuantDense, Quantize, QuantLayer, QuantLSTM

S = {"format": "fixed_point", "word_bits": 8, "frac_bits": 2, "rounding": "stochastic"}
X = np.full([1, 200], 0.1, np.float32)


def test_training_calls_draw_new_bits_and_inference_repeats():
    layer = Quantize(S)
    first, second = layer(X, training=True), layer(X, training=True)
    assert np.any(first != second)
    assert layer.rounding_counter.calls.numpy() == 2
    np.testing.assert_array_equal(layer(X), layer(X))
    assert layer.rounding_counter.calls.numpy() == 2


def test_the_first_bits_are_those_of_counter_zero():
    layer = Quantize(S, name="here")
    want = layer.quantizers["activations"].derive("here/output")(X, 0)
    np.testing.assert_array_equal(layer(X, training=True), want)
    want = layer.quantizers["activations"].derive("here/output")(X, 2**32)
    np.testing.assert_array_equal(layer(X, training=True), want)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_stateless_scopes_from_one_state_see_the_same_bits(graph):
    layer = QuantLSTM(16, weights=S, state=S, gates=S, bias=S)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    layer.build(x.shape)

    def call(training):
        state = [(v, v.value) for v in layer.variables]
        with keras.StatelessScope(state_mapping=state) as scope:
            y = layer(x, training=training)
        return y, scope.get_current_value(layer.rounding_counter.calls)

    run = traced(call) if graph else call
    (first, after), (second, _) = run(True), run(True)
    np.testing.assert_array_equal(first, second)
    assert after == 1
    assert layer.rounding_counter.calls.numpy() == 0
    np.testing.assert_array_equal(layer(x, training=True), first)
    assert layer.rounding_counter.calls.numpy() == 1


def test_layers_and_tensors_have_bits_of_their_own():
    """Same quantizer, same values, same shape: a kernel and another layer's kernel, and a bias."""
    kernels = []
    for name in ("a", "b"):
        layer = QuantDense(200, weights=S, bias=S, name=name)
        layer.build((None, 1))
        layer.kernel.assign(X)
        layer.bias.assign(X[0])
        one, zero = np.ones([1, 1], np.float32), np.zeros([1, 1], np.float32)
        bias = layer(zero).numpy()
        kernel = layer(one).numpy() - bias
        assert np.any(kernel != bias)
        kernels.append(kernel)
    assert np.any(kernels[0] != kernels[1])


def test_weights_that_have_no_name_keep_their_bits_when_the_layer_is_made_again():
    class Unnamed(keras.layers.Layer):
        def build(self, shape):
            self.a, self.b = (self.add_weight(shape=(200,), initializer="ones") for _ in "ab")

        def call(self, x):
            return x + self.a, x + self.b

    def made():
        layer = QuantLayer(Unnamed(name="layer"), weights=S)
        layer.build(X.shape)
        layer.layer.a.assign(X[0])
        layer.layer.b.assign(X[0])
        return layer, layer(np.zeros_like(X))

    (first, one), (second, two) = made(), made()
    assert first.layer.a.name != second.layer.a.name
    np.testing.assert_array_equal(one, two)
    assert np.any(one[0] != one[1])


def test_only_stochastic_layers_have_a_counter():
    nearest = {**S, "rounding": "nearest_even"}
    assert QuantDense(2, weights=nearest).rounding_counter is None
    counter = QuantDense(2, gradients=S).rounding_counter.calls
    assert (counter.dtype, counter.shape, counter.trainable) == ("int64", (), False)


def test_fit_repeats_bit_for_bit():
    def train():
        keras.utils.set_random_seed(1)
        layer = QuantDense(4, weights=S, gradients=S, errors=S, activations=S, name="dense")
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
        model.fit(x, np.ones([32, 4], np.float32), batch_size=8, epochs=2, verbose=0)
        assert layer.rounding_counter.calls.numpy() == 8
        return layer.kernel.numpy()

    np.testing.assert_array_equal(train(), train())


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_of_unknown_length_are_rounded_as_those_of_known_length():
    """Keras runs a step without data to learn that nothing is left: no count goes on there."""
    noise = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4, "rounding": "stochastic"}
    rules = [{"layers": ".*", "weights": noise, "activations": noise}]
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (23, 5)), rng.normal(size=(23, 1)).astype("float32")
    known = tf.data.Dataset.from_tensor_slices((x, y)).batch(6)
    weights = []
    for data in (known, known.filter(lambda x, y: True)):
        keras.utils.set_random_seed(0)
        tokens = keras.Input((5,), dtype="int32")
        h = keras.layers.Embedding(9, 4, name="e")(tokens)
        h = keras.layers.LSTM(4, return_sequences=True, name="l")(h)
        h = keras.layers.MultiHeadAttention(2, 2, name="a")(h, h)
        h = keras.layers.LayerNormalization(name="n")(h)
        h = keras.layers.GlobalAveragePooling1D(name="p")(h)
        model = keras.Model(tokens, keras.layers.Dense(1, name="d")(h))
        model = make_map(*rules).apply(model)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(data, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for got, want in zip(*weights, strict=True):
        np.testing.assert_array_equal(got, want)
