"""TensorQuant's maps and QKeras' dictionaries: the same numbers on the same layers, or an error."""

import json

import keras
import numpy as np
import pytest

from tq_halp import InputError, QuantizationMap
from tq_halp.quantization_map import qkeras_strings, tensorquant
from tq_halp.quantizers import get

X = np.concatenate([np.linspace(-3, 3, 97), [0.3125, -0.3125, 0.09375, -0.09375]])
X = X.astype("float32")


def model():
    x = keras.Input((8, 8, 2))
    y = keras.layers.Conv2D(2, 3, name="Conv_1")(x)
    y = keras.layers.ReLU(name="act")(keras.layers.Conv2D(2, 3, name="Conv_10")(y))
    y = keras.layers.Flatten(name="flat")(y)
    return keras.Model(x, keras.layers.Dense(2, name="head")(y))


def decided(quantization):
    """{layer: {tensor: quantizer}} of what is quantized."""
    rows = quantization.plan(model()).rows
    found = {}
    for row in rows:
        if row.quantizer is not None:
            found.setdefault(row.layer, {})[row.tensor] = str(row.quantizer)
    return found


def saturated(codes, word_bits, frac_bits):
    return np.clip(codes, -(2 ** (word_bits - 1)), 2 ** (word_bits - 1) - 1) / 2**frac_bits


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        (
            "nearest,6,4",
            lambda x: saturated(np.floor(np.abs(x) * 16 + 0.5) * np.sign(x), 6, 4),
        ),
        ("zero,6,4", lambda x: saturated(np.floor(np.abs(x) * 16) * np.sign(x), 6, 4)),
        ("down,6,4", lambda x: saturated(np.floor(x * 16), 6, 4)),
        ("fp16", lambda x: x.astype("float16")),
        ("sparse,0.5", lambda x: np.where(np.abs(x) >= 0.5, x, 0)),
        ("binary", lambda x: np.where(x >= 0, 1, -1)),
        ("binary,0.5", lambda x: np.where(x >= 0, 0.5, -0.5)),
        ("ternary,2,0.75", lambda x: np.where(np.abs(x) > 0.75, 2 * np.sign(x), 0)),
        (
            "ternary,2",
            lambda x: np.where(np.abs(x) > 0.7 * np.mean(np.abs(x)), 2 * np.sign(x), 0),
        ),
        (
            "logarithmic",
            lambda x: np.where(
                x == 0, 0, np.sign(x) * 2 ** np.floor(np.log2(np.maximum(np.abs(x), 1e-9)))
            ),
        ),
    ],
)
def test_strings_of_tensorquant_give_its_numbers(text, oracle):
    quantizer = get(tensorquant.quantizer(text))
    np.testing.assert_array_equal(quantizer(X), oracle(X).astype("float32"))


def test_stochastic_and_nothing():
    assert get(tensorquant.quantizer("stochastic, 8, 4")).rounding == "stochastic"
    assert tensorquant.quantizer("none") == tensorquant.quantizer("") == "none"


def test_a_map_of_tensorquant_means_parts_of_names_and_the_first_decides():
    weights = {"Conv_1": "nearest,16,8", "": "zero,8,4"}
    found = decided(QuantizationMap.from_tensorquant(weight_q_map=weights))
    wide, narrow = "fixed_point(16, 8) nearest_away", "fixed_point(8, 4) toward_zero"
    assert found == {
        "Conv_1": {"weights": wide, "bias": wide},
        "Conv_10": {"weights": wide, "bias": wide},
        "head": {"weights": narrow, "bias": narrow},
    }


def test_two_maps_of_tensorquant_decide_independently(tmp_path):
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({"0": "none", "Conv": "fp16", "no_such_layer": "fp16"}))
    found = decided(
        QuantizationMap.from_tensorquant(
            weight_q_map={"head": "binary", "Conv_10": "zero,8,4"}, extr_q_map=path
        )
    )
    narrow = "fixed_point(8, 4) toward_zero"
    assert found == {
        "Conv_1": {"activations": "float16 nearest_even infinity"},
        "Conv_10": {"weights": narrow, "bias": narrow},
        "head": {"weights": "binary nearest_up", "bias": "binary nearest_up"},
    }
    everything = QuantizationMap.from_tensorquant(extr_q_map="down,8,4")
    assert decided(everything)["act"] == {"activations": "fixed_point(8, 4) down"}
    quantized = everything.apply(model())
    y = np.array(quantized(np.ones((1, 8, 8, 2)))) * 16
    np.testing.assert_array_equal(y, np.floor(y))


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ({}, "weight_q_map or extr_q_map must be given"),
        ({"intr_q_map": "nearest,8,4"}, "intr_q_map has no equivalent"),
        ({"weight_q_map": {"a": "neerest,8,4"}}, "unknown quantizer 'neerest', valid: zero, down"),
        ({"weight_q_map": {"a": "nearest,8"}}, "nearest takes 2 numbers after it"),
        ({"weight_q_map": {"a": "nearest,8,4.5"}}, "nearest takes numbers after it"),
        ({"weight_q_map": {"a": 8}}, "a quantizer must be a text such as 'nearest,16,8'"),
        ({"extr_q_map": ["fp16"]}, "extr_q_map must be a text or a mapping of texts"),
        ({"extr_q_map": "missing.json"}, "neither a quantizer such as 'nearest,16,8' nor a JSON"),
        ({"weight_q_map": {"a": "nearest,0,4"}}, "word_bits must be an integer from 1 to 64"),
    ],
)
def test_what_is_not_tensorquant(maps, expected):
    with pytest.raises(InputError) as error:
        QuantizationMap.from_tensorquant(**maps)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quantized_bits(8,0,1)", "fixed_point(8, 7) nearest_even"),
        ("quantized_bits(8, 2, alpha=1)", "fixed_point(8, 5) nearest_even"),
        ("quantized_bits(4,4,keep_negative=False)", "fixed_point(4, 0, signed=False) nearest_even"),
        ("quantized_bits(bits=6,use_stochastic_rounding=1)", "fixed_point(6, 5) stochastic"),
        ("quantized_bits", "fixed_point(8, 7) nearest_even"),
        ("quantized_linear(6)", "fixed_point(6, 5) nearest_even"),
        ("quantized_relu(4, 2)", "fixed_point(4, 2, signed=False) nearest_even"),
        ("binary(alpha=0.5)", "binary(level=0.5) nearest_up"),
        ("ternary()", "ternary(threshold=0.33)"),
        ({"class_name": "quantized_bits", "config": {"bits": 5}}, "fixed_point(5, 4) nearest_even"),
    ],
)
def test_quantizers_of_qkeras(text, expected):
    assert str(get(qkeras_strings.quantizer(text))) == expected


def test_quantized_bits_gives_the_numbers_of_qkeras():
    quantizer = get(qkeras_strings.quantizer("quantized_bits(4,1,0)"))
    np.testing.assert_array_equal(quantizer(X), np.clip(np.rint(X * 4), -8, 7) / 4)
    relu = get(qkeras_strings.quantizer("quantized_relu(3,1)"))
    np.testing.assert_array_equal(relu(X), np.clip(np.rint(X * 4), 0, 7) / 4)


def test_a_dictionary_of_qkeras_means_names_before_classes():
    found = decided(
        QuantizationMap.from_qkeras(
            {
                "QConv2D": {"kernel_quantizer": "quantized_bits(4,0,1)", "bias_quantizer": None},
                "QActivation": {"relu": "quantized_relu(4,2)"},
                "QLSTM": {"kernel_quantizer": "ternary()", "recurrent_quantizer": "binary()"},
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
            "activations": "fixed_point(4, 4, signed=False) nearest_even",
        },
        "act": {"activations": "fixed_point(4, 2, signed=False) nearest_even"},
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "config must be a mapping of layers to quantizers"),
        ({"d": {"kernel": "binary()"}}, "d: unknown quantizer 'kernel', valid: kernel_quantizer"),
        ({"d": {"kernel_quantizer": "quantized_tanh(4)"}}, "quantized_tanh has no equivalent"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,alpha='auto')"}}, "alpha must be a number"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,alpha=2)"}}, "no equivalent other than 1"),
        ({"d": {"kernel_quantizer": "quantized_bits(8,bit=2)"}}, "unknown argument of quantized_b"),
        ({"d": {"kernel_quantizer": "quantized_bits(8"}}, "no quantizer of QKeras'"),
        ({"d": {"kernel_quantizer": "__import__('os').system('x')"}}, "must be a text such as"),
        ({"d": {"kernel_quantizer": "quantized_bits(1,2,3,4,5,6,7,8)"}}, "wrong arguments of quan"),
        ({"d": "quantized_relu(4,negative_slope=.5)"}, "negative_slope have no equivalent"),
        ({"QActivation": {"tanh": "quantized_bits(4)"}}, "only relu can be told from others"),
        ({"d": 8}, "a quantizer must be a text such as 'quantized_bits(8,0,1)', received 8"),
        ({3: "binary()"}, "a key must be the name of a layer or a class, received 3"),
    ],
)
def test_what_has_no_equivalent_of_qkeras(config, expected):
    with pytest.raises(InputError) as error:
        QuantizationMap.from_qkeras(config)
    assert expected in str(error.value)


def test_a_name_that_is_no_layer_is_still_an_error():
    quantization = QuantizationMap.from_qkeras({"haed": {"kernel_quantizer": "binary()"}})
    with pytest.raises(InputError, match="matches no layer"):
        quantization.plan(model())
