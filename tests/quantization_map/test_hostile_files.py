"""Files that are too large, too deep or too clever: an answer within seconds, and one line."""

import time

import keras
import pytest

from tq_halp import InputError, QuantizationMap

RULES = 'rules: [{layers: ".*", weights: w8}]\n'
BOMB = "".join(
    f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" if n else "l0: &l0 [a, a, a, a]\n"
    for n in range(12)
)


def message_of(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text(text)
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        QuantizationMap.from_yaml(path)
    assert time.monotonic() - start < 30
    message = str(error.value)
    assert message.startswith(f"{path}:") and "\n" not in message and len(message) < 1000
    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 10_000_000, "characters long, expected settings of at most 1000000"),
        ("a: {" * 200_000, "not valid YAML: nested too deeply"),
        ("version: 1\nformats: " + "{a: " * 60 + "1" + "}" * 60, "or 50 levels"),
        ("version: 1\n" + BOMB + RULES, "more than 100000 values"),
        ("version: 1\nformats: &f {w8: *f}\n" + RULES, "formats.w8 must be a mapping"),
        ("version: 1\nformats: *w\n" + RULES, "not valid YAML: found undefined alias"),
        ("version: 1\nformats:\n\tw8: binary\n", "not valid YAML: found character '\\t'"),
        ("version: 1\nversion: 1\n" + RULES, "key 'version' appears a second time"),
        ("version: 1\nformats: {w8: binary, w8: ternary}\n" + RULES, "appears a second time"),
        ("version: 1\nrules: !!python/object/apply:os.getcwd []\n", "must be a list of rules"),
        ("version: 2026-01-01\n" + RULES, "must be a text, a number, true, false, null"),
        ("version: 1\n? [a, b]\n: 1\n", "a key must be a word"),
        ("version: 1\n---\nversion: 1\n", "not valid YAML: but found another document"),
        ("version: 1\x00\n", "not valid YAML"),
        ("", "must be a mapping of settings. Received: nothing"),
        ("- version: 1\n", "must be a mapping of settings. Received: a list"),
        ("version: " + "9" * 5000 + "\n" + RULES, "not valid YAML"),
    ],
    ids=lambda text: text[:20],
)
def test_hostile_files(tmp_path, text, expected):
    assert expected in message_of(tmp_path, text)


def test_aliases_are_welcome_where_they_are_few(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        "version: 1\n"
        "formats:\n  w8: &w {format: fixed_point, word_bits: 8, frac_bits: 6}\n"
        "  w4: {<<: *w, word_bits: 4}\n"
        "rules: [{layers: dense, weights: w4, bias: *w}]\n"
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="dense")])
    rows = QuantizationMap.from_yaml(path).plan(model).rows
    assert [str(row.quantizer) for row in rows[:2]] == [
        "fixed_point(4, 6) nearest_even",
        "fixed_point(8, 6) nearest_even",
    ]
