"""TensorQuant's maps: the same numbers on the same layers, or an error."""

import json

import numpy as np
import pytest

from tests.quantization_map.imported import X, decided, model
from tq_halp import InputError, QuantizationMap
from tq_halp.quantization_map.importers import tensorquant
from tq_halp.quantizers import get


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
