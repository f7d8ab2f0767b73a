"""`QuantLayer`: a user's own layer on quantized weights, and nothing else about it changed."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from feed_forward_cases import EVERY, A, B, W, floats
from keras import ops

from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.layers import QuantDense, QuantLayer, QuantLSTM
from tq_halp.layers.registry import quantize_layer

STOCHASTIC = {**W, "rounding": "stochastic"}
X, Y = floats(2, 3, 4), floats(2, 3, 5, seed=1)
MASK = tf.constant([[True, True, False], [True, False, False]])


@keras.saving.register_keras_serializable(package="tests")
class Pair(keras.layers.Layer):
    """Two inputs, nested outputs, sublayers, losses, statistics, a metric, random numbers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = units
        policy = self.dtype_policy
        self.dense = keras.layers.Dense(units, activity_regularizer="l2", dtype=policy)
        self.norm = keras.layers.BatchNormalization(dtype=policy)
        self.dropout = keras.layers.Dropout(0.5, seed=1, dtype=policy)
        self.mean = keras.metrics.Mean()
        self.seen = []

    def build(self, x_shape, y_shape):
        self.dense.build(x_shape)
        self.norm.build((*x_shape[:-1], self.units))
        self.kernel = self.add_weight(shape=(y_shape[-1], self.units), name="kernel")
        self.out_bias = self.add_weight(shape=(self.units,), name="out_bias")
        self.calls = self.add_weight(trainable=False, initializer="zeros", name="calls")

    def call(self, x, y, training=False):
        self.seen.append({v.path: tf.convert_to_tensor(v) for v in self.weights})
        self.calls.assign_add(1.0)
        self.add_loss(ops.sum(self.kernel))
        z = self.norm(self.dense(x), training=training)
        z = self.dropout(z, training=training) + ops.matmul(y, self.kernel) + self.out_bias
        self.mean.update_state(z)
        return {"sum": z, "more": [y, ops.argmax(z, axis=-1)]}

    def compute_output_shape(self, x_shape, y_shape):
        shape = (*x_shape[:-1], self.units)
        return {"sum": shape, "more": [y_shape, x_shape[:-1]]}

    def compute_output_spec(self, x, y, training=False):
        shapes = self.compute_output_shape(x.shape, y.shape)
        spec = keras.tree.map_shape_structure(keras.KerasTensor, shapes)
        spec["more"][1] = keras.KerasTensor(shapes["more"][1], dtype="int32")
        return spec

    def compute_mask(self, inputs, previous_mask):
        return {"sum": previous_mask, "more": [None, None]}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Unregistered(keras.layers.Layer):
    """No build(): Keras makes its sublayers' weights by calling it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


def with_weights(layer):
    for seed, variable in enumerate(v for v in layer.variables if v.dtype == "float32"):
        if variable.trainable:
            variable.assign(floats(*variable.shape, seed=seed))
    return layer


def pair(**given):
    """A plain layer and a wrapped one of the same weights."""
    plain, inner = Pair(3, name="pair"), Pair(3, name="pair")
    for layer in (plain, inner):
        layer.build(X.shape, Y.shape)
        with_weights(layer)
    return plain, QuantLayer(inner, **given)


def quantize_weights(layer, weights, bias):
    for v in layer.trainable_variables:
        is_bias = v.name in ("bias", "beta", "out_bias")
        v.assign(quantizers.get(bias if is_bias else weights)(v.value))


def assert_equal(got, want):
    keras.tree.map_structure(np.testing.assert_array_equal, got, want)


def state(layer):
    return [v.numpy() for v in layer.non_trainable_variables if v.dtype != "int64"]


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
        run = tf.function(layer.stateless_call) if graph else layer.stateless_call
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

    layer = QuantLayer(Twice(), weights={**STOCHASTIC, "frac_bits": 2}, activations=STOCHASTIC)
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
    y = tf.function(layer)(tf.ones([1]))
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


def model_of(layer):
    inputs = [keras.Input(X.shape[1:]), keras.Input(Y.shape[1:])]
    return keras.Model(inputs, layer(*inputs))


def test_save_and_load_go_on_bit_for_bit(tmp_path):
    stochastic = {role: {**EVERY[role], "rounding": "stochastic"} for role in EVERY}
    model = model_of(pair(**stochastic)[1])
    assert [layer.name for layer in model.layers[-1:]] == ["pair"]
    model([X, Y], training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    # Keras saves no seed states, and so no dropout masks: not with a wrapper either.
    dropout = again.get_layer("pair").layer.dropout
    mine = model.get_layer("pair").layer.dropout
    dropout.seed_generator.state.assign(mine.seed_generator.state)
    for training in (False, True):
        assert_equal(again([X, Y], training=training), model([X, Y], training=training))
    assert again.get_layer("pair").rounding_counter.calls.numpy() == 2


def test_load_in_a_new_process_with_custom_objects(tmp_path):
    model = keras.Sequential([keras.Input((4,)), QuantLayer(Unregistered(name="u"), weights=W)])
    with_weights(model)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "y.npy", model(X[0]))
    np.save(tmp_path / "x.npy", X[0])
    code = (
        "import sys, numpy as np, keras, tq_halp.layers\n"
        "class Unregistered(keras.layers.Layer):\n"
        "    def __init__(self, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(2)\n"
        "    def call(self, x):\n"
        "        return self.second(self.first(x))\n"
        "given, folder = {'Unregistered': Unregistered}, sys.argv[1]\n"
        "model = keras.saving.load_model(folder + '/model.keras', custom_objects=given)\n"
        "y = model(np.load(folder + '/x.npy'))\n"
        "np.testing.assert_array_equal(y, np.load(folder + '/y.npy'))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@pytest.mark.parametrize("eager_only", [False, True])
def test_the_first_call_of_a_layer_that_is_not_built_is_quantized(eager_only):
    class Lazy(Unregistered):
        def call(self, x):
            if eager_only:
                assert float(tf.reduce_sum(x)) != 0  # fails while Keras traces it
            return super().call(x)

    layer = QuantLayer(Lazy(), weights=W, bias=W)
    first = layer(X)
    np.testing.assert_array_equal(first, layer(X))
    inner = layer.layer
    assert np.any(first != inner(X))
    q = quantizers.get(W)
    want = X
    for dense in (inner.first, inner.second):
        want = tf.matmul(want, tf.broadcast_to(q(dense.kernel.value), (2, *dense.kernel.shape)))
    # The biases are 0. matmul of one or of two kernels: the same sums in another order.
    np.testing.assert_allclose(first, want, rtol=1e-5, atol=1e-6)


def test_mixed_precision():
    inner = Pair(3, dtype="mixed_bfloat16")
    layer = QuantLayer(inner, weights=W, activations=A)
    y = layer(X, Y)
    assert (layer.compute_dtype, y["sum"].dtype) == ("bfloat16", "bfloat16")
    kernel = next(v for path, v in inner.seen[-1].items() if path.endswith("pair/kernel"))
    assert kernel.dtype == "bfloat16"
    read = tf.cast(inner.kernel.value, "bfloat16")
    np.testing.assert_array_equal(kernel, quantizers.get(W)(read))


def test_quantize_layer_makes_a_twin_or_a_wrapper():
    dense = keras.layers.Dense(3, activation="relu", name="d")
    twin = quantize_layer(dense, {"weights": W})
    assert type(twin) is QuantDense and twin.name == "d" and twin.activation is dense.activation
    again = quantize_layer(twin, {"bias": B})
    assert again.quantizers == {**twin.quantizers, "weights": None, "bias": quantizers.get(B)}
    lstm = quantize_layer(QuantLSTM(2, weights=W), {"weights": W, "recurrent_weights": "none"})
    assert lstm.quantizers["recurrent_weights"] is None
    own = Pair(2, name="own")
    wrapped = quantize_layer(own, {"weights": STOCHASTIC})
    assert type(wrapped) is QuantLayer and wrapped.layer is not own and wrapped.name == "own"
    assert wrapped.layer.units == 2
    again = quantize_layer(wrapped, {"bias": B})
    assert type(again.layer) is Pair and again.layer is not wrapped.layer
    assert again.quantizers["weights"] is None and again.rounding_counter is None


def test_errors_say_what_would_be_valid():
    class Silent(keras.layers.Layer):
        def __init__(self, needed):
            super().__init__(name="silent")

    with pytest.raises(InputError, match="QuantLayer: layer must be a keras.layers.Layer"):
        QuantLayer(lambda x: x)
    with pytest.raises(InputError, match="layer must be a .* no model"):
        QuantLayer(keras.Sequential())
    with pytest.raises(InputError, match="silent: class Silent cannot be copied, its get_config"):
        quantize_layer(Silent(1), {"weights": W})
    with pytest.raises(InputError, match="d: unknown tensor 'state'.*weights"):
        quantize_layer(keras.layers.Dense(2, name="d"), {"state": W})
    with pytest.raises(InputError, match="QuantDense: weights: unknown format"):
        quantize_layer(keras.layers.Dense(2), {"weights": "w8"})
