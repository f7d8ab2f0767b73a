"""Number formats in a map: by name, spelled out, and where blocks do not fit the model."""

import keras
import pytest

from tq_halp import QuantizationMap
from tq_halp.errors import InputError

FORMATS = {"g8": "float8_e5m2", "s8": {"format": "mxfp8", "block_size": 3}}


def map_of(**rule):
    return QuantizationMap.from_dict({"version": 1, "formats": FORMATS, "rules": [rule]})


def model():
    """x (5, 4) -> lstm (6) -> head (3)."""
    x = keras.Input((5, 4), name="x")
    return keras.Model(x, keras.layers.Dense(3, name="head")(keras.layers.LSTM(6, name="lstm")(x)))


def test_named_formats_stand_wherever_a_format_does():
    quantization = map_of(
        layers="head",
        weights="s8",
        bias={"format": "bfloat16", "rounding": "stochastic"},
        activations="float8_e4m3fn",
        gradients="g8",
    )
    rows = quantization.plan(model()).rows
    assert [(row.tensor, str(row.quantizer)) for row in rows if row.layer == "head"] == [
        ("weights", "mxfp8_e4m3(block_size=3) nearest_even"),
        ("bias", "bfloat16 stochastic"),
        ("activations", "float8_e4m3fn nearest_even"),
        ("gradients", "float8_e5m2 nearest_even"),
        ("errors", "None"),
        ("accumulator", "None"),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            {"layers": "head", "weights": "mxfp8"},
            "rules[0]: weights: kernel of head (Dense): block_size must divide 3, the length of "
            "axis -1 of a tensor of shape (6, 3). Received: 32",
        ),
        (
            {"layers": "head", "bias": {"format": "mxfp8", "block_size": 1, "axis": 1}},
            "rules[0]: bias: bias of head (Dense): axis must be from -1 to 0 for a tensor of shape "
            "(3,). Received: 1",
        ),
        (
            {"layers": "lstm", "weights": {"format": "mxfp8", "block_size": 4, "axis": 0}},
            "rules[0]: recurrent_weights: recurrent_kernel of lstm (LSTM): block_size must divide "
            "6, the length of axis 0 of a tensor of shape (6, 24). Received: 4",
        ),
        (
            {"layers": ".*", "gradients": {"format": "mxfp8", "block_size": 5}},
            "rules[0]: gradients: kernel of lstm (LSTM): block_size must divide 24",
        ),
    ],
)
def test_blocks_that_do_not_fit_a_weight_are_refused(rule, expected):
    for use in (map_of(**rule).plan, map_of(**rule).apply):
        with pytest.raises(InputError) as error:
            use(model())
        assert expected in str(error.value)


def test_blocks_that_fit_are_applied():
    weights = {"format": "mxfp8", "block_size": 2, "axis": 0}
    quantized = map_of(layers="lstm", weights=weights, bias="s8").apply(model())
    assert str(quantized.get_layer("lstm").quantizers["bias"].format) == "mxfp8_e4m3(block_size=3)"
    assert quantized(keras.ops.ones((2, 5, 4))).shape == (2, 3)
