"""Every way to get a map wrong: one message with the place, what came and what would be right."""

import pytest

from tq_halp import QuantizationMap
from tq_halp.errors import InputError

HEAD = """version: 1
formats:
  w8: {format: fixed_point, word_bits: 8, frac_bits: 6}
rules:
"""


def message_of(load, *arguments):
    with pytest.raises(InputError) as error:
        load(*arguments)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        # The rules of the file, each as one text, and the line that must be named.
        (
            '  - {layers: ".*", weigths: w8}',
            5,
            "rule 1: unknown key 'weigths', valid: layers, class",
        ),
        ('  - {layers: ".*", weigths: w8}', 5, "did you mean 'weights'?"),
        (
            '  - layers: ".*"\n    weights: w9',
            6,
            "rule 1: weights: unknown format 'w9', valid: w8, none",
        ),
        (
            '  - {layers: "a", quantize: none}\n  - {layers: "b(", weights: w8}',
            6,
            "rule 2: layers is not",
        ),
        ("  - {weights: w8}", 5, "rule 1: layers is missing"),
        ("  - {layers: 3, weights: w8}", 5, "layers must be a regular expression such as"),
        (
            "  - {layers: a, class: [LSTM], weights: w8}",
            5,
            "class must be a name such as LSTM. Received",
        ),
        ('  - {layers: ".*"}', 5, "rule 1: says nothing to do; write 'quantize: none' or one of"),
        ('  - {layers: ".*", quantize: w8}', 5, "quantize takes only none. Received: 'w8'"),
        ('  - {layers: ".*", quantize: none, bias: w8}', 5, "leaves no room for bias"),
        (
            '  - {layers: ".*", weights: 8}',
            5,
            "weights must be the name of a format, a mapping or none",
        ),
        (
            '  - layers: ".*"\n    bias: {format: fixed_point, word_bits: 0, frac_bits: 1}',
            6,
            "rule 1: bias: word_bits must be an integer from 1 to 64. Received: 0",
        ),
        (
            '  - {layers: ".*", weights: fixed_point}',
            5,
            "rule 1: weights: fixed_point needs word_bits: write, for example, {format: fixed",
        ),
        ("  - embedding", 5, "rule 1: a rule must be a mapping. Received: 'embedding'"),
        ('  - {layers: "a", weights: w8, weights: w8}', 5, "key 'weights' appears a second time"),
        ('  - layers: "a"\n\tweights: w8', 6, "not valid YAML: found character '\\t'"),
        ("  - {layers: 'a'", 6, "not valid YAML"),
    ],
)
def test_wrong_rule_is_named_with_file_and_line(tmp_path, text, line, expected):
    path = tmp_path / "map.yaml"
    path.write_text(HEAD + text + "\n")
    message = message_of(QuantizationMap.from_yaml, path)
    assert message.startswith(f"{path}:{line}: ")
    assert expected in message


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("version: 2\nrules: []", 1, "version must be 1. Received: 2"),
        ("version: true\nrules: []", 1, "version must be 1. Received: True"),
        (
            "version: 1\nrule: []",
            2,
            "unknown key 'rule', valid: version, defaults, formats, rules",
        ),
        ("version: 1\nrules: []", 2, "rules must be a list of rules. Received: []"),
        ("version: 1\nrules: {layers: a}", 2, "rules must be a list of rules"),
        ("version: 1\nformats: [w8]\nrules: []", 2, "formats must be a mapping. Received: ['w8']"),
        (
            "version: 1\nformats:\n  w8: 8\nrules: []",
            3,
            "formats.w8 must be a mapping or a format's name. Received: 8",
        ),
        (
            "version: 1\nformats:\n  w8: {format: fixed_pont, word_bits: 8}\nrules: []",
            3,
            "formats.w8: unknown format 'fixed_pont', valid: fixed_point, scaled_integer, mini",
        ),
        (
            "version: 1\nformats:\n  w8: float8\nrules: []",
            3,
            "formats.w8: unknown format 'float8', valid: fixed_point, ",
        ),
        (
            "version: 1\nformats:\n  w8: {format: float8_e5m2, mantissa_bits: 3}\nrules: []",
            3,
            "formats.w8: unknown parameter of float8_e5m2 'mantissa_bits', valid: subnormals",
        ),
        (
            "version: 1\nformats:\n  mxfp8: {format: mxfp8, block_size: 16}\nrules: []",
            3,
            "formats.mxfp8: mxfp8 is the name of a format already, choose another",
        ),
        (
            "version: 1\nformats:\n  binary: float8_e5m2\nrules: []",
            3,
            "formats.binary: binary is the name of a format already, choose another",
        ),
        (
            "version: 1\nformats:\n  none: {format: scaled_integer, word_bits: 8}\nrules: []",
            3,
            "a format's name must be a text other than none",
        ),
    ],
)
def test_wrong_head_is_named_with_file_and_line(tmp_path, text, line, expected):
    path = tmp_path / "map.yaml"
    path.write_text(text + "\n")
    message = message_of(QuantizationMap.from_yaml, path)
    assert message.startswith(f"{path}:{line}: ")
    assert expected in message


def test_missing_version_and_missing_file(tmp_path):
    path = tmp_path / "map.yaml"
    assert message_of(QuantizationMap.from_yaml, path).startswith(f"{path}: no such file")
    path.write_text("rules: []\n")
    assert "version must be 1. Received: nothing" in message_of(QuantizationMap.from_yaml, path)


def test_from_dict_names_the_index_of_the_rule():
    good = {"layers": "a", "quantize": "none"}
    mapping = {"version": 1, "rules": [good, good, {"layers": "a", "weights": "w8"}]}
    message = message_of(QuantizationMap.from_dict, mapping)
    assert message.startswith(
        "quantization map: rules[2]: weights: unknown format 'w8', valid: none, fixed_point, "
    )
    assert message_of(QuantizationMap.from_dict, [good]).startswith("quantization map: must be a")


def test_from_dict_takes_the_origin_of_a_mapping_that_came_from_a_file():
    mapping = {"version": 1, "rules": [{"layers": "a"}]}
    message = message_of(
        lambda: QuantizationMap.from_dict(mapping, origin=lambda path: f"config.yaml:{len(path)}")
    )
    assert message.startswith("config.yaml:2: rule 1: says nothing to do")


def test_round_trip_to_a_mapping(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(HEAD + '  - {layers: ".*", weights: w8, bias: none}\n')
    quantization = QuantizationMap.from_yaml(path)
    again = QuantizationMap.from_dict(quantization.to_dict())
    assert [rule.quantizers for rule in again.rules] == [r.quantizers for r in quantization.rules]
    assert again.rules[0].quantizers["bias"] == "none"
