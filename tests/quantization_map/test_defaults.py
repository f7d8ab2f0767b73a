"""What a map says for all: defaults, where nothing else is said, and rules that may be idle."""

import keras
import pytest

from tq_halp import InputError, QuantizationMap

FORMATS = {
    "plain": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6},
    "own": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "down"},
    "three": "ternary",
}


def quantizers(defaults, **rule):
    mapping = {"version": 1, "formats": FORMATS, "rules": [{"layers": ".*", **rule}]}
    return QuantizationMap.from_dict({**mapping, "defaults": defaults}).rules[0].quantizers


def test_defaults_hold_where_nothing_else_is_said():
    defaults = {"rounding": "stochastic", "gradient": "clipped", "seed": 7, "overflow": "wrap"}
    found = quantizers(
        defaults,
        weights="plain",
        bias="own",
        state="three",
        gates="float8_e5m2",
        gradients={"format": "mxfp8", "seed": 3},
    )
    shown = {
        role: (q.rounding, q.overflow, q.gradient, q.seed) for role, q in sorted(found.items())
    }
    assert shown == {
        "weights": ("stochastic", "wrap", "clipped", 7),
        "bias": ("down", "wrap", "clipped", 7),
        "state": (None, "saturate", "clipped", 0),  # a threshold decides: nothing is random
        "gates": ("stochastic", "saturate", "clipped", 7),  # floating point does not wrap
        "gradients": ("stochastic", "saturate", "straight_through", 3),  # blocks do not clip
    }


def test_without_defaults_nothing_changes():
    assert quantizers({}, weights="plain") == quantizers(None, weights="plain")


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        ({"round": "down"}, "defaults: unknown key 'round', valid: rounding, overflow, gradient"),
        ({"rounding": "upward"}, "defaults: unknown rounding 'upward', valid: nearest_even, "),
        ({"overflow": None}, "defaults: unknown overflow None, valid: saturate, wrap, infinity"),
        ({"seed": 1.5}, "defaults: seed must be an integer of 64 bits. Received: 1.5"),
        ([1], "defaults must be a mapping. Received: [1]"),
    ],
)
def test_wrong_defaults(defaults, expected):
    with pytest.raises(InputError) as error:
        quantizers(defaults, weights="plain")
    assert expected in str(error.value)


def test_an_optional_rule_may_find_nothing():
    rules = [
        {"layers": "no_such", "weights": "own", "optional": True},
        {"layers": "head", "weights": "own"},
        {"layers": "head", "recurrent_weights": "own", "optional": True},
    ]
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2, name="head")]
    )
    mapping = {"version": 1, "formats": FORMATS, "rules": rules}
    rows = QuantizationMap.from_dict(mapping).plan(model).rows
    assert {row.rule for row in rows} == {2, None}
    rules[0]["optional"] = 1
    with pytest.raises(InputError, match="optional must be true or false. Received: 1"):
        QuantizationMap.from_dict(mapping)
