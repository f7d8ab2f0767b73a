"""The JSON schema: takes what the loader takes, and knows every key and format."""

from pathlib import Path

import jsonschema
import pytest

from tests.mappings import W8
from tq_halp import InputError, QuantizationMap, formats
from tq_halp.settings_with_origins import Settings

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def validator():
    schema = QuantizationMap.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("maps/*.yaml")), ids=lambda path: path.name)
def test_shipped_maps_validate(validator, path):
    validator.validate(Settings(path).values)


def rule(**tensors):
    return {"version": 1, "formats": {"w8": W8}, "rules": [{"layers": ".*", **tensors}]}


GOOD = [
    rule() | {"rules": [{"layers": "a", "class": "LSTM", "bias": W8}]},
    rule(quantize="none"),
    rule(weights="none", optional=True, momentum="bfloat16"),
    rule(weights="w8", schedule={"from_step": 7}),
    rule(schedule=[{"epoch": 1, "weights": "w8"}, {"epoch": 2, "weights": None}]),
    rule(weights={"format": "mxfp8", "axis": 0}, bias={"format": "binary"}),
    rule(weights={"format": "ternary", "threshold": None}, bias={"format": "float8_e4m3fn"}),
    rule(weights="w8") | {"defaults": {"rounding": "stochastic", "seed": 4}},
    *(rule(weights=name) for name in formats.NAMED),
]
BAD = [
    {"version": 2, "rules": [{"layers": "a", "quantize": "none"}]},
    {"version": 1, "rules": []},
    {"version": 1, "rules": [{"layers": "a", "quantize": "none"}], "rule": 1},
    rule(weigths="w8"),
    rule(weights=8),
    rule(optional=3, weights="w8"),
    rule(weights={"format": "fixed_point", "word_bits": 8}),
    rule(weights={**W8, "roundin": "down"}),
    rule(weights={**W8, "overflow": "infinity"}),
    rule(weights={"format": "ternary", "rounding": "stochastic"}),
    rule(weights={"format": "mxfp8", "overflow": "wrap"}),
    rule(weights="w8", schedule={"from_epoch": 1, "from_step": 2}),
    rule(schedule=[{"epoch": 1, "step": 2, "weights": "w8"}]),
    rule(weights="w8") | {"defaults": {"rounding": "upwards"}},
]


@pytest.mark.parametrize("mapping", GOOD, ids=str)
def test_what_is_right_for_the_loader_is_right_for_the_schema(validator, mapping):
    QuantizationMap.from_dict(mapping)
    validator.validate(mapping)


@pytest.mark.parametrize("mapping", BAD, ids=str)
def test_what_is_wrong_for_the_loader_is_wrong_for_the_schema(validator, mapping):
    with pytest.raises(InputError):
        QuantizationMap.from_dict(mapping)
    assert not validator.is_valid(mapping)
