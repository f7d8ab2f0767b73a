"""The key `accumulator`: a format and how many terms are added between two roundings."""

import keras
import numpy as np
import pytest

import quant_ops
from tests.mappings import make_map
from tq_halp import QuantizationMap
from tq_halp.errors import InputError
from tq_halp.quantizers import Accumulator

MAP = """\
version: 1
defaults: {rounding: toward_zero, gradient: clipped}
formats:
  a16: {format: float16, rounding: nearest_even, gradient: straight_through}
rules:
  - {layers: dense, accumulator: %s}
  - {layers: ".*", quantize: none}
"""


def model():
    return keras.Sequential(
        [keras.Input([40]), keras.layers.Dense(3, name="dense"), keras.layers.ReLU()]
    )


def read(tmp_path, value):
    path = tmp_path / "map.yaml"
    path.write_text(MAP % value)
    return QuantizationMap.from_yaml(path)


def test_a_model(tmp_path):
    value = "{every: 8, format: fixed_point, word_bits: 9, frac_bits: 4}"
    quantization, source = read(tmp_path, value), model()
    (row,) = [row for row in quantization.plan(source).rows if row.tensor == "accumulator"]
    assert str(row.quantizer) == "fixed_point(9, 4) toward_zero every 8"
    quantized = quantization.apply(source)
    x = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    kernel, bias = source.layers[0].get_weights()
    product = quant_ops.matmul_rounded(
        x, kernel, "fixed_point", every=8, word_bits=9, frac_bits=4, rounding="toward_zero"
    )
    expected = np.maximum(product + bias, 0)
    assert (quantized.predict(x, verbose=0) == expected).all()


@pytest.mark.parametrize(
    "value, every, rounding",
    [
        ("bfloat16", 1, "toward_zero"),
        ("a16", 1, "nearest_even"),
        ("{format: float16, every: 2}", 2, "toward_zero"),
    ],
)
def test_names(tmp_path, value, every, rounding):
    plan = read(tmp_path, value).plan(model())
    (chosen,) = [row.quantizer for row in plan.rows if row.tensor == "accumulator"]
    assert isinstance(chosen, Accumulator)
    assert (chosen.every, chosen.quantizer.rounding) == (every, rounding)


@pytest.mark.parametrize(
    "value, message",
    [
        ("{format: float16, every: 0}", "every must be an integer of at least 1. Received: 0"),
        ("{format: mxfp8, every: 2}", "format of an accumulator must be fixed_point, minifloat"),
        ("{format: float16, gradient: clipped}", "gradient of an accumulator must be straight"),
        ("float61", "float61"),
        ("[8]", "must be the name of a format, a mapping or none"),
    ],
)
def test_errors(tmp_path, value, message):
    with pytest.raises(InputError, match=rf"map\.yaml:6: .*accumulator.*{message}"):
        read(tmp_path, value)


def test_layers_without_one_product_have_none():
    source = keras.Sequential([keras.Input([4], dtype="int32"), keras.layers.Embedding(3, 2)])
    rule = {"layers": ".*", "accumulator": "float16"}
    with pytest.raises(InputError, match="accumulator"):
        make_map(rule).apply(source)
