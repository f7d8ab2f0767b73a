"""What holds for every quantized layer: no quantizer equals Keras, and each tensor is on its grid.

The oracle is the plain Keras layer with quantized weights: all roundings are deterministic here, so
the comparison is equality.
"""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tq_halp import layers, quantizers
from tq_halp.errors import InputError
from tq_halp.layers.quantized_classes import QUANTIZED, quantized_class

W = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4}
B = {"format": "fixed_point", "word_bits": 8, "frac_bits": 7, "rounding": "down"}
A = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3, "gradient": "clipped"}
D = {"format": "scaled_integer", "word_bits": 8, "rounding": "nearest_even"}
STOCHASTIC = {**W, "rounding": "stochastic"}


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


TOKENS = np.random.default_rng(1).integers(0, 11, size=(2, 5)).astype(np.int32)
CASES = [
    (keras.layers.Dense, dict(units=3, activation="tanh"), floats(2, 5, 4)),
    (keras.layers.Dense, dict(units=3, use_bias=False), floats(2, 4)),
    (keras.layers.Conv2D, dict(filters=4, kernel_size=3, activation="relu"), floats(2, 6, 6, 2)),
    (
        keras.layers.Conv2D,
        dict(filters=4, kernel_size=(2, 3), strides=2, padding="same", groups=2, use_bias=False),
        floats(2, 6, 6, 2),
    ),
    (keras.layers.Embedding, dict(input_dim=11, output_dim=3), TOKENS),
    (keras.layers.LSTM, dict(units=3), floats(2, 5, 4)),
    (keras.layers.LSTM, dict(units=3, return_sequences=True, use_bias=False), floats(2, 5, 4)),
    (keras.layers.LSTM, dict(units=3, return_state=True, unroll=True), floats(2, 5, 4)),
]
IDS = [f"{case[0].__name__}-{k}" for k, case in enumerate(CASES)]
every_layer = pytest.mark.parametrize(("keras_class", "arguments", "x"), CASES, ids=IDS)


def pair(keras_class, arguments, x, **given):
    """A plain layer and a quantized one with the same weights, biases not zero."""
    plain = keras_class(**arguments)
    plain.build(x.shape)
    plain.set_weights([floats(*w.shape) for w in plain.get_weights()])
    quantized = quantized_class(keras_class)(**arguments, **given)
    quantized.build(x.shape)
    for variable, value in zip(quantized.trainable_variables, plain.get_weights(), strict=True):
        variable.assign(value)
    return plain, quantized


def assert_equal(got, want):
    tf.nest.map_structure(np.testing.assert_array_equal, got, want)


@every_layer
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_without_quantizers_equals_keras_bit_for_bit(keras_class, arguments, x, graph):
    plain, quantized = pair(keras_class, arguments, x)
    run = tf.function(lambda layer: layer(x)) if graph else lambda layer: layer(x)
    assert_equal(run(quantized), run(plain))
    assert [w.name for w in quantized.weights] == [w.name for w in plain.weights]
    assert quantized.rounding_counter is None


@pytest.mark.parametrize("keras_class", QUANTIZED, ids=lambda c: c.__name__)
def test_signature_is_that_of_the_installed_keras_plus_the_roles(keras_class):
    quantized = QUANTIZED[keras_class]
    got = inspect.signature(quantized).parameters
    want = {
        name: parameter
        for name, parameter in inspect.signature(keras_class).parameters.items()
        if name not in quantized.roles  # Embedding's `weights`, initial values, gives way
    }
    assert {name: got[name] for name in want} == want
    assert set(got) - set(want) == set(quantized.roles)
    assert all(got[role].default is None for role in quantized.roles)


@every_layer
def test_weights_are_quantized_from_the_master(keras_class, arguments, x):
    has_bias = arguments.get("use_bias", True) and keras_class is not keras.layers.Embedding
    given = {"weights": W, "bias": B} if has_bias else {"weights": W}
    plain, quantized = pair(keras_class, arguments, x, **given)
    masters = [w.numpy() for w in quantized.trainable_variables]
    for variable in plain.trainable_variables:
        quantizer = quantizers.get(B if variable.name == "bias" else W)
        variable.assign(quantizer(variable.value))
    assert_equal(quantized(x), plain(x))
    assert_equal([w.numpy() for w in quantized.trainable_variables], masters)


@every_layer
def test_dynamic_range_is_that_of_the_whole_weight(keras_class, arguments, x):
    plain, quantized = pair(keras_class, arguments, x, weights=D)
    for variable in plain.trainable_variables:
        if variable.name != "bias":
            variable.assign(quantizers.get(D)(variable.value))
    assert_equal(quantized(x), plain(x))


@every_layer
def test_activations_quantize_the_output(keras_class, arguments, x):
    plain, quantized = pair(keras_class, arguments, x, activations=A)
    got, want = quantized(x), plain(x)
    if arguments.get("return_state"):
        want = (quantizers.get(A)(want[0]), *want[1:])
    else:
        want = quantizers.get(A)(want)
    assert_equal(got, want)


@every_layer
def test_gradients_are_those_of_the_quantized_weights_then_quantized(keras_class, arguments, x):
    """dL/dW: straight through to the master, then Q_gradients; dL/dy: Q_errors before all that."""
    roles = quantized_class(keras_class).roles
    given = {role: W for role in ("weights", "bias") if role in roles}
    plain, quantized = pair(keras_class, arguments, x, **given, gradients=A, errors=B)
    for variable in plain.trainable_variables:
        variable.assign(quantizers.get(W)(variable.value))

    def gradients(layer, upstream):
        with tf.GradientTape() as tape:
            y = tf.nest.flatten(layer(x))[0]
        return tape.gradient(y, layer.trainable_variables, output_gradients=upstream)

    y = tf.nest.flatten(plain(x))[0]
    upstream = tf.constant(floats(*y.shape) / 4)
    got = gradients(quantized, upstream)
    want = gradients(plain, quantizers.get(B)(upstream))
    for g, w in zip(got, want, strict=True):
        if isinstance(w, tf.IndexedSlices):  # an embedding quantizes per row, then sums
            np.testing.assert_array_equal(g.indices, w.indices)
            g, w = g.values, w.values
        np.testing.assert_array_equal(g, quantizers.get(A)(w))


@pytest.mark.parametrize(
    "weights",
    [
        {"format": "block_float", "word_bits": 4, "block_size": 3},
        {"format": "block_float", "word_bits": 4, "block_size": 11, "axis": 0},
        {"format": "mxfp4", "block_size": 1},
        "ternary",
    ],
    ids=str,
)
def test_embedding_equals_gathering_where_numbers_are_rounded_together(weights):
    arguments = dict(input_dim=11, output_dim=3)
    plain, quantized = pair(keras.layers.Embedding, arguments, TOKENS, weights=weights, gradients=A)
    upstream = tf.constant(floats(2, 5, 3))
    with tf.GradientTape() as tape:
        y = quantized(TOKENS)
    got = tape.gradient(y, quantized.embeddings.value, output_gradients=upstream)
    plain.embeddings.assign(quantizers.get(weights)(plain.embeddings.value))
    np.testing.assert_array_equal(y, plain(TOKENS))
    # The gradient of the rows that were looked up and no others, as without quantizers.
    np.testing.assert_array_equal(got.indices, TOKENS.ravel())
    np.testing.assert_array_equal(got.values, tf.reshape(quantizers.get(A)(upstream), (10, 3)))


@every_layer
def test_configuration_round_trips(keras_class, arguments, x):
    cls = quantized_class(keras_class)
    given = {role: STOCHASTIC for role in cls.roles}
    layer = cls(**arguments, **given)
    again = cls.from_config(layer.get_config())
    assert again.quantizers == layer.quantizers
    assert layer.quantizers == {role: quantizers.for_role(role, STOCHASTIC) for role in given}
    assert again.get_config() == layer.get_config()
    assert not cls.from_config(keras_class(**arguments).get_config()).quantizers["weights"]


def test_save_and_load_in_a_new_process(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 4)),
            layers.Quantize(A),
            layers.QuantLSTM(3, return_sequences=True, weights=STOCHASTIC, gates=STOCHASTIC),
            keras.layers.Reshape((2, 2, 3)),
            layers.QuantConv2D(2, 2, weights=W, bias=B),
            keras.layers.Flatten(),
            layers.QuantDense(11, weights=STOCHASTIC, activations=A),
        ]
    )
    model.compile("sgd", "mse")
    x = floats(8, 4, 4)
    model.fit(x, np.zeros((8, 11), np.float32), verbose=0)  # so that the counters are not 0
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np, keras; from tq_halp import layers\n"
        "folder = sys.argv[1]; model = keras.saving.load_model(folder + '/model.keras')\n"
        "np.save(folder + '/y.npy', model(np.load(folder + '/x.npy')))\n"
        "assert model.layers[-1].rounding_counter.calls.numpy() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model(x))


def test_training_moves_the_master_by_less_than_a_step():
    """SGD updates the float master; forward still sees the grid."""
    layer = layers.QuantDense(1, use_bias=False, kernel_initializer="ones", weights=W)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0)
    # loss = w^2, dL/dw = 2 at w = 1, so w = 1 - 0.02, which rounds back to 1 on steps of 1/16.
    assert layer.kernel.numpy().item() == np.float32(1) - np.float32(0.01) * 2
    assert model(np.ones((1, 1))).numpy().item() == 1.0


def test_quantize_layer():
    x = floats(3, 4)
    layer = layers.Quantize(A, errors=B)
    np.testing.assert_array_equal(layer(x), quantizers.get(A)(x))
    upstream = tf.constant(floats(3, 4)[::-1].copy())
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    got = tape.gradient(y, x, output_gradients=upstream)
    inside = (x.numpy() >= -2) & (x.numpy() <= 15 / 8)
    np.testing.assert_array_equal(got, quantizers.get(B)(upstream) * inside)
    assert layers.Quantize.from_config(layer.get_config()).quantizers == layer.quantizers


def test_mixed_precision_quantizes_in_the_compute_dtype():
    layer = layers.QuantDense(3, weights=W, activations=A, dtype="mixed_bfloat16")
    y = layer(floats(2, 4))
    assert (y.dtype, layer.kernel.dtype) == ("bfloat16", "float32")
    np.testing.assert_array_equal(quantizers.get(A)(y), y)


def test_a_wrong_quantizer_is_named_with_layer_and_role():
    with pytest.raises(InputError, match="QuantDense: weights: unknown format 'w8'"):
        layers.QuantDense(3, weights="w8")
    with pytest.raises(InputError, match="QuantEmbedding: weights: a quantizer must be"):
        layers.QuantEmbedding(3, 2, weights=np.zeros((3, 2)))
    with pytest.raises(InputError, match="use_cudnn must be 'auto' or False"):
        layers.QuantLSTM(3, use_cudnn=True)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments.*state"):
        layers.QuantDense(3, state=W)
