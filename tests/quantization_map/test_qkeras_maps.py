"""QKeras' dictionaries: the same numbers on the same layers, or an error.

The oracles restate github.com/google/qkeras, qkeras/quantizers.py, in NumPy.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.quantization_map.imported import X, decided, model
from tq_halp import InputError, QuantizationMap
from tq_halp.quantization_map.importers import qkeras_quantizers
from tq_halp.quantizers import get


def bits(x, bits, integer, symmetric, keep_negative=True):
    m = 2.0 ** (bits - keep_negative)
    if bits == keep_negative:
        return np.where(x >= 0, 1, -1)
    low = keep_negative * (symmetric - m)
    return 2.0**integer * np.clip(np.rint(x * m / 2**integer), low, m - 1) / m


def linear(x, bits, integer):
    scale, shift = 2.0 ** (integer - bits + 1), 0.5 * (bits == 1)
    low, high = (-0.5, 0.5) if bits == 1 else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    return (np.rint(np.clip(x / scale, low, high) - shift) + shift) * scale


def ternary(x, alpha, threshold):
    return alpha * (np.abs(x) >= np.float32(threshold)) * np.sign(x)


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("quantized_bits(4,1,0)", lambda x: bits(x, 4, 1, 0)),
        ("quantized_bits(8,2,alpha=1)", lambda x: bits(x, 8, 2, 0)),
        ("quantized_bits(4,1,keep_negative=False)", lambda x: bits(x, 4, 1, 0, False)),
        ("quantized_bits(1)", lambda x: bits(x, 1, 0, 0)),
        ("quantized_bits(1,3,alpha=1.0)", lambda x: bits(x, 1, 3, 0)),
        ("quantized_bits(1,0,0,False)", lambda x: bits(x, 1, 0, 0, False)),
        ("quantized_bits", lambda x: bits(x, 8, 0, 0)),
        ({"class_name": "quantized_bits", "config": {"bits": 5}}, lambda x: bits(x, 5, 0, 0)),
        ("quantized_linear(6,1,0)", lambda x: linear(x, 6, 1)),
        ("quantized_linear(1)", lambda x: linear(x, 1, 0)),
        ("quantized_linear(1,2)", lambda x: linear(x, 1, 2)),
        ("quantized_relu(3,1)", lambda x: np.clip(np.rint(x * 4), 0, 7) / 4),
        ("binary()", lambda x: np.where(x >= 0, 1, -1)),
        ("binary(alpha=0.5)", lambda x: np.where(x >= 0, 0.5, -0.5)),
        ("ternary()", lambda x: ternary(x, 1, 0.33)),
        ("ternary(2,0.75)", lambda x: ternary(x, 2, 0.75)),  # X holds 0.75, which counts
        ("ternary(threshold=0)", lambda x: ternary(x, 1, 0)),
    ],
)
def test_the_numbers_are_those_of_qkeras(text, oracle):
    np.testing.assert_array_equal(get(qkeras_quantizers.quantizer(text))(X), oracle(X))


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("quantized_bits(3,0)", lambda x: np.ones_like(x)),
        ("quantized_linear(3,0,0)", lambda x: (x >= -1) & (x <= 0.75)),
        ("quantized_linear(1)", lambda x: np.abs(x) <= 0.5),
        ("quantized_relu(3,1)", lambda x: (x >= 0) & (x <= 1.75)),
        ("binary(alpha=1)", lambda x: np.ones_like(x)),
        ("ternary(alpha=1)", lambda x: np.ones_like(x)),
    ],
)
def test_the_gradients_are_those_of_qkeras(text, inside):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = get(qkeras_quantizers.quantizer(text))(x)
    np.testing.assert_array_equal(tape.gradient(y, x), inside(X))


def test_a_configuration_of_qkeras_holds_more_than_matters_here():
    config = {
        "bits": 4, "integer": 0, "symmetric": 1, "alpha": 1.0, "keep_negative": True,
        "use_stochastic_rounding": False, "qnoise_factor": 1.0, "post_training_scale": None,
    }  # fmt: skip
    given = {"class_name": "quantized_bits", "config": config}
    found = qkeras_quantizers.quantizer(given, of_weights=True)
    assert str(get(found)) == "fixed_point(4, 3) nearest_even"
    with pytest.raises(InputError, match="qnoise_factor has no equivalent other than 1"):
        qkeras_quantizers.quantizer({**given, "config": {**config, "qnoise_factor": 0.5}})


def test_a_dictionary_of_qkeras_means_names_before_classes():
    found = decided(
        QuantizationMap.from_qkeras(
            {
                "QConv2D": {
                    "kernel_quantizer": "quantized_bits(4,0,1,alpha=1)",
                    "bias_quantizer": None,
                },
                "QActivation": {"relu": "quantized_relu(4,2)"},
                "QLSTM": {
                    "kernel_quantizer": "ternary(alpha=1)",
                    "recurrent_quantizer": "binary(alpha=1)",
                },
                "Conv_10": {
                    "kernel_quantizer": "binary(alpha=1)",
                    "activation_quantizer": "quantized_relu(4)",
                },
            }
        )
    )
    assert found == {
        "Conv_1": {"weights": "fixed_point(4, 3) nearest_even"},
        "Conv_10": {
            "weights": "binary nearest_up",
            "activations": "fixed_point(4, 4, signed=False) nearest_even clipped",
        },
        "act": {"activations": "fixed_point(4, 2, signed=False) nearest_even clipped"},
    }


SCALING = ("quantized_bits(4,0,1)", "quantized_linear(4)", "binary()", "binary", "ternary()")
# Whose constructors in QKeras call `_set_trainable_parameter` of their quantizer, and whose do not.
OF_WEIGHTS = ("kernel_quantizer", "depthwise_quantizer", "gamma_quantizer", "recurrent_quantizer")
OTHERS = ("bias_quantizer", "beta_quantizer", "activation_quantizer", "state_quantizer")


@pytest.mark.parametrize("text", SCALING)
def test_without_alpha_a_layer_of_qkeras_scales_its_weights_to_the_data(text):
    for place in OF_WEIGHTS:
        for key in ("QDense", "dense_1"):
            with pytest.raises(InputError, match=rf"{key}: {place}: .*alpha='auto_po2'.*alpha=1 "):
                QuantizationMap.from_qkeras({key: {place: text}})
    for place in OTHERS:
        QuantizationMap.from_qkeras({"QLSTM": {place: text}})
    QuantizationMap.from_qkeras({"QActivation": text, "act": text})


def test_with_alpha_1_small_weights_are_what_qkeras_makes_of_them():
    weights = np.random.default_rng(0).normal(size=(8, 4)).astype("float32") * 0.2
    source = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, use_bias=False, name="d")])
    source.layers[0].set_weights([weights])
    text = "quantized_bits(4,0,0,alpha=1)"
    quantized = QuantizationMap.from_qkeras({"QDense": {"kernel_quantizer": text}}).apply(source)
    expected = bits(weights, 4, 0, 0)
    np.testing.assert_array_equal(quantized.predict(np.eye(8, dtype="float32")), expected)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "config must be a mapping of layers to quantizers"),
        ({"d": {"kernel": "binary()"}}, "d: unknown quantizer 'kernel', valid: kernel_quantizer"),
        ({"d": {"kernel_quantizer": "quantized_tanh(4)"}}, "quantized_tanh has no equivalent"),
        ({"d": {"kernel_quantizer": "quantized_po2(4)"}}, "quantized_po2 has no equivalent"),
        ({"d": {"kernel_quantizer": "stochastic_ternary()"}}, "stochastic_ternary has no equivale"),
        ({"d": {"kernel_quantizer": "stochastic_binary(1)"}}, "stochastic_binary has no equivale"),
        ({"d": {"kernel_quantizer": "bernoulli(alpha=1)"}}, "bernoulli has no equivalent"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,alpha='auto')"}}, "alpha must be a number"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,alpha=2)"}}, "no equivalent other than 1"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,bit=2)"}}, "unknown argument of quantized_b"),
        ({"d": {"kernel_quantizer": "quantized_bits(8"}}, "must be one of QKeras"),
        ({"d": {"kernel_quantizer": "__import__('os').system('x')"}}, "must be a text such as"),
        ({"d": {"kernel_quantizer": "quantized_bits(1,2,3,4,5,6,7,8)"}}, "wrong arguments of quan"),
        ({"d": {"bias_quantizer": "binary(0,1,True)"}}, "use_stochastic_rounding has no equivalen"),
        (
            {"d": {"bias_quantizer": "ternary(1,'auto')"}},
            "threshold must be a number. Received: 'auto'",
        ),
        ({"d": "quantized_relu(4,negative_slope=.5)"}, "negative_slope have no equivalent"),
        ({"d": "quantized_relu(4,relu_upper_bound=2)"}, "relu_upper_bound has no equivalent"),
        ({"QActivation": {"tanh": "quantized_bits(4)"}}, "only relu can be told from others"),
        ({"d": 8}, "a quantizer must be a text such as 'quantized_bits(8,0,1)'. Received: 8"),
        (
            {"d": {"kernel_quantizer": "quantized_bits(8,0.5,alpha=1)"}},
            "integer must be a whole nu",
        ),
        ({"d": {"kernel_quantizer": "quantized_bits(8.5,0,alpha=1)"}}, "bits must be a whole numb"),
        ({"d": {"kernel_quantizer": "quantized_bits(True,alpha=1)"}}, "bits must be a whole numbe"),
        (
            {"d": {"kernel_quantizer": "quantized_bits(8,0,[1],alpha=1)"}},
            "symmetric must be True o",
        ),
        ({"d": {"kernel_quantizer": "quantized_bits(8,0,1,'no',1)"}}, "keep_negative must be True"),
        (
            {"d": {"bias_quantizer": "quantized_linear(8,0,1,1,1,2)"}},
            "use_stochastic_rounding must",
        ),
        ({"d": "quantized_relu(4,.5)"}, "integer must be a whole number. Received: 0.5"),
        ({"d": "quantized_relu(4,0,2)"}, "use_sigmoid must be True or False. Received: 2"),
        ({"d": "quantized_relu(4,negative_slope=True)"}, "negative_slope must be a number"),
        (
            {"d": "quantized_relu(4,qnoise_factor=[1])"},
            "qnoise_factor has no equivalent other than",
        ),
        ({"d": {"bias_quantizer": "binary(2)"}}, "use_01 must be True or False. Received: 2"),
        (
            {"d": {"bias_quantizer": "ternary(1,True)"}},
            "threshold must be a number. Received: True",
        ),
        ({3: "binary()"}, "a key must be the name of a layer or a class. Received: 3"),
    ],
)
def test_what_has_no_equivalent_of_qkeras(config, expected):
    with pytest.raises(InputError) as error:
        QuantizationMap.from_qkeras(config)
    assert expected in str(error.value)


def test_a_name_that_is_no_layer_is_still_an_error():
    quantization = QuantizationMap.from_qkeras({"haed": {"kernel_quantizer": "binary(alpha=1)"}})
    with pytest.raises(InputError, match="matches no layer"):
        quantization.plan(model())


def test_the_example_of_the_documentation():
    quantization = QuantizationMap.from_qkeras(
        {
            "QDense": {"kernel_quantizer": "quantized_bits(8,0,1,alpha=1)"},
            "act": "quantized_relu(4)",
        }
    )
    assert decided(quantization) == {
        "head": {"weights": "fixed_point(8, 7) nearest_even"},
        "act": {"activations": "fixed_point(4, 4, signed=False) nearest_even clipped"},
    }
