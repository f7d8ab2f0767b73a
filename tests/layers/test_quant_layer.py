"""`QuantLayer`: a user's own layer on quantized weights, and nothing else about it changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantized_cases import EVERY, A, B, W
from users_layers import Pair, X, Y, assert_equal, pair, quantize_weights, state

from tests.arrays import floats
from tests.graphs import traced
from tq_halp import quantizers
from tq_halp.layers import QuantLayer

MASK = tf.constant([[True, True, False], [True, False, False]])


def test_without_quantizers_it_is_the_layer():
    plain, wrapped = pair()
    for _ in range(2):
        assert_equal(wrapped(X, Y, training=True), plain(X, y=Y, training=True))
        assert_equal(wrapped.losses, plain.losses)
        assert_equal(state(wrapped), state(plain))
    assert (wrapped.name, wrapped.trainable, wrapped.dtype) == ("pair", True, "float32")
    assert wrapped.rounding_counter is None


def test_every_tensor_equals_that_of_the_layer_on_quantized_weights():
    plain, wrapped = pair(**EVERY)
    masters = [v.numpy() for v in wrapped.trainable_variables]
    quantize_weights(plain, W, B)
    upstream = floats(2, 3, 3, seed=4)
    results = []
    for layer, dz in ((plain, quantizers.get(EVERY["errors"])(upstream)), (wrapped, upstream)):
        with tf.GradientTape() as tape:
            outputs = layer(X, Y, training=True)
        values = [v.value for v in layer.trainable_variables]
        results.append((outputs, tape.gradient(outputs["sum"], values, output_gradients=dz)))
    (want, dw), (got, got_dw) = results
    a, g = quantizers.get(A), quantizers.get(EVERY["gradients"])
    assert_equal(got, {"sum": a(want["sum"]), "more": [a(Y), want["more"][1]]})
    assert_equal(got_dw, [g(each) for each in dw])
    assert_equal(wrapped.losses, plain.losses)
    assert_equal(state(wrapped), state(plain))
    assert_equal([v.numpy() for v in wrapped.trainable_variables], masters)


@pytest.mark.parametrize("frozen", [False, True], ids=["", "frozen"])
def test_inside_the_call_weights_are_on_their_grid_and_statistics_untouched(frozen):
    _, wrapped = pair(weights=W, bias=B)
    wrapped.trainable = not frozen
    wrapped.layer.norm.moving_mean.assign(floats(3, seed=5))
    wrapped(X, Y)
    (seen,) = wrapped.layer.seen
    steps = {"kernel": 1 / 16, "gamma": 1 / 16}
    steps.update(dict.fromkeys(("bias", "beta", "out_bias"), 1 / 128))
    checked = 0
    for variable in wrapped.layer.weights:
        if variable.name in steps:
            multiple = seen[variable.path].numpy() / steps[variable.name]
            np.testing.assert_array_equal(multiple, np.rint(multiple))
            assert np.any(seen[variable.path].numpy() != variable.numpy())
            checked += 1
    assert checked == 6
    (mean,) = (value for path, value in seen.items() if path.endswith("moving_mean"))
    np.testing.assert_array_equal(mean, floats(3, seed=5))


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_stateless_call_hands_back_losses_and_state_once(graph):
    plain, wrapped = pair(weights=W, bias=W)
    quantize_weights(plain, W, W)
    wrapped.build(X.shape, Y.shape)
    results = []
    for layer in (plain, wrapped):
        before = [v.numpy() for v in layer.variables]
        run = traced(layer.stateless_call) if graph else layer.stateless_call
        trainable = [v.value + 0 for v in layer.trainable_variables]
        others = [v.value + 0 for v in layer.non_trainable_variables]
        results.append(run(trainable, others, X, Y, training=True, return_losses=True))
        assert_equal([v.numpy() for v in layer.variables], before)
    (want, want_state, want_losses), (got, got_state, got_losses) = results
    assert_equal(got, want)
    assert_equal(got_state, want_state)
    # The plain layer's own activity regularizer works in __call__, which stateless_call leaves out.
    assert_equal(sorted(map(float, got_losses)), sorted(map(float, want_losses)))


def test_masks_and_training_arrive_and_masks_leave():
    plain, wrapped = pair(weights=W, bias=W)
    quantize_weights(plain, W, W)
    outputs = []
    for layer in (plain, wrapped):
        x = tf.constant(X)
        x._keras_mask = MASK
        outputs.append(layer(x, Y, training=True))
    want, got = outputs
    assert_equal(got, want)
    assert got["sum"]._keras_mask is MASK
    with_mask = QuantLayer(keras.layers.Softmax(), activations=A)
    x = tf.constant(X)
    mask = tf.constant(np.random.default_rng(3).random(X.shape) < 0.7)
    x._keras_mask = mask
    assert_equal(with_mask(x), quantizers.get(A)(keras.layers.Softmax()(X, mask=mask)))


def test_a_mask_that_a_sublayer_put_on_the_output_stays_there():
    class Tokens(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = keras.layers.Embedding(5, 3, mask_zero=True)

        def call(self, tokens):
            return self.table(tokens)

    tokens = np.int32([[1, 2, 0]])
    y = QuantLayer(Tokens(), activations=A, weights=W, errors=A)(tokens)
    np.testing.assert_array_equal(y._keras_mask, tokens != 0)


def test_weights_of_one_name_draw_different_bits():
    class Twice(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = (keras.layers.Dense(200, use_bias=False) for _ in range(2))

        def call(self, x):
            return self.first(x), self.second(x)

    stochastic = {**W, "frac_bits": 2, "rounding": "stochastic"}
    layer = QuantLayer(Twice(), weights=stochastic, activations=W)
    layer(np.ones([1, 1], np.float32))
    for variable in layer.trainable_variables:
        variable.assign(np.full([1, 200], 0.1, np.float32))
    first, second = (y.numpy() for y in layer(np.ones([1, 1], np.float32)))
    assert set(first.ravel()) == set(second.ravel()) == {0, 0.25}  # on the output's grid too
    assert np.any(first != second)


def test_assignments_in_branches_and_loops_of_a_graph():
    class Loop(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(name="factor", initializer="ones", shape=())
            self.steps = self.add_weight(name="steps", initializer="zeros", trainable=False)

        def call(self, x):
            def body(x):
                self.steps.assign_add(1.0)
                return (x * self.factor,)

            x = tf.while_loop(lambda x: tf.reduce_sum(x) < 100.0, body, (x,))[0]
            tf.cond(tf.reduce_sum(x) > 0, lambda: self.steps.assign_add(10.0), lambda: self.steps)
            return x

    layer = QuantLayer(Loop(), weights=W)
    layer.build((1,))
    layer.layer.factor.assign(1.97)  # 1.9375 = 31 / 16 on the grid
    y = traced(layer)(tf.ones([1]))
    np.testing.assert_array_equal(y, np.cumprod(np.full(7, 1.9375, np.float32))[-1:])
    assert layer.layer.steps.numpy() == 17


def test_a_layer_that_assigns_its_weights():
    """What it assigns it then reads, and keeps."""
    plain = keras.layers.SpectralNormalization(keras.layers.Dense(3))
    layer = QuantLayer(keras.layers.SpectralNormalization(keras.layers.Dense(3)), weights=W)
    for each in (plain, layer):
        each.build(X.shape)
        for seed, variable in enumerate(each.variables):
            variable.assign(floats(*variable.shape, seed=seed))
    plain.layer.kernel.assign(quantizers.get(W)(plain.layer.kernel.value))
    np.testing.assert_array_equal(layer(X, training=True), plain(X, training=True))
    assert_equal([v.numpy() for v in layer.variables], [v.numpy() for v in plain.variables])


def test_mixed_precision():
    inner = Pair(3, dtype="mixed_bfloat16")
    layer = QuantLayer(inner, weights=W, activations=A)
    y = layer(X, Y)
    assert (layer.compute_dtype, y["sum"].dtype) == ("bfloat16", "bfloat16")
    kernel = next(v for path, v in inner.seen[-1].items() if path.endswith("pair/kernel"))
    assert kernel.dtype == "bfloat16"
    read = tf.cast(inner.kernel.value, "bfloat16")
    np.testing.assert_array_equal(kernel, quantizers.get(W)(read))
