"""A mapping where a path is meant, a path for a mapping, a name for a model."""

from pathlib import Path

import keras
import pytest

from tq_halp import InputError, QuantizationMap
from tq_halp.quantizers import Quantizer

MAPPING = {"version": 1, "rules": [{"layers": ".*", "weights": "bfloat16"}]}
MAP = QuantizationMap.from_dict(MAPPING)
MODEL = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
UNBUILT = keras.Sequential([keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        (
            lambda: QuantizationMap(MAPPING),
            r"QuantizationMap.from_dict\(mapping\).*Received: {'ver",
        ),
        (lambda: QuantizationMap("map.yaml"), r"from_yaml\(path\). Received: 'map.yaml'"),
        (lambda: QuantizationMap(Path("map.yaml")), r"from_yaml\(path\). Received: .*Path"),
        (lambda: QuantizationMap(), r"from_dict\(mapping\) or QuantizationMap.from_yaml\(path\)"),
        (lambda: QuantizationMap.from_yaml(MAPPING), "Received: {.*}; QuantizationMap.from_dict"),
        (lambda: QuantizationMap.from_yaml(MAP), "path must be a text or a Path. Received: <tq_h"),
        (lambda: QuantizationMap.from_yaml(None), "path must be a text or a Path. Received: None"),
        (lambda: QuantizationMap.from_yaml(Path(".")), r"\.: no such file, expected a quantizatio"),
        (lambda: QuantizationMap.from_yaml("x" * 5000), "x: no such file, expected a quantization"),
        (lambda: QuantizationMap.from_dict("map.yaml"), "'map.yaml'; QuantizationMap.from_yaml"),
        (lambda: QuantizationMap.from_dict(Path("map.yaml")), "; QuantizationMap.from_yaml takes"),
        (lambda: QuantizationMap.from_dict(None), "must be a mapping of version, .*Received: None"),
        (lambda: QuantizationMap.of("model.keras"), "must be a Keras model. Received: 'model.kera"),
        (lambda: MAP.apply("model.keras"), "model must be a Keras model. Received: 'model.keras'"),
        (lambda: MAP.apply(keras.layers.Dense(2)), "model must be a Keras model. Received: <Dense"),
        (lambda: MAP.apply(keras.Model), "model must be a Keras model. Received: <class"),
        (lambda: MAP.apply(UNBUILT), "is not built: start it with keras.Input"),
        (lambda: MAP.plan(UNBUILT), "is not built: start it with keras.Input"),
        (lambda: MAP.plan(None), "model must be a Keras model. Received: None"),
        (lambda: MAP.optimizer(MODEL, "adm"), "optimizer must be a Keras optimizer.*Received: 'ad"),
        (lambda: MAP.optimizer(MODEL, None), "optimizer must be a Keras optimizer.*Received: None"),
        (lambda: MAP.optimizer("adam", "adam"), "model must be a Keras model. Received: 'adam'"),
        (lambda: Quantizer("..."), r"unknown format '\.\.\.', valid: fixed_point"),
        (lambda: Quantizer(Quantizer("bfloat16")), "format must be a name such as"),
        (
            lambda: Quantizer({"format": "bfloat16", "rounding": "down"}),
            "format must be a format alone. Received: rounding in it.*Quantizer.from_config",
        ),
        (lambda: Quantizer.from_config("bfloat16"), "must be a mapping such as .*'bfloat16'"),
        (lambda: Quantizer.from_config(None), "must be a mapping such as .*Received: None"),
    ],
)
def test_one_thing_for_another_says_what_was_meant(mistake, expected):
    with pytest.raises(InputError, match=expected):
        mistake()
