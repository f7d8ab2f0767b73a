"""Whatever a file holds: a map whose plan can be had, or one InputError that names the file."""

import keras
import pytest
from hypothesis import given, settings, strategies as st
from ruamel.yaml import YAML

from tq_halp import InputError, QuantizationMap
from tq_halp.quantization_map.rules.parse_format import DEFAULTS
from tq_halp.quantization_map.rules.rule import KEYS

WORDS = [
    *("version", "defaults", "formats", "rules", "format", "word_bits", "frac_bits", "epoch"),
    *("from_step", "fixed_point", "float8_e5m2", "mxfp8", "ternary", "none", "w8", ".*", "dense"),
    *("(", "[[", "*", "&a", "", "stochastic", "level", "threshold", "element", "axis", "Dense"),
    *KEYS,
    *DEFAULTS,
]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS) | st.integers(0, 3), inner, max_size=4),
    ),
    max_leaves=12,
)
FORMATS = st.fixed_dictionaries(
    {"format": st.sampled_from(["fixed_point", "minifloat", "mxfp8", "binary", "ternary"])},
    optional={
        "word_bits": st.integers(1, 9),
        "frac_bits": st.integers(1, 9),
        "exponent_bits": st.integers(1, 9),
        "mantissa_bits": st.integers(0, 4),
        "block_size": st.integers(1, 4),
        "rounding": st.sampled_from(["down", "stochastic", "sideways"]),
        "overflow": st.sampled_from(["wrap", "infinity", "saturate"]),
    },
)
VALUES = st.one_of(FORMATS, st.sampled_from(["w8", "none", "bfloat16", "binary"]), TREES)
SCHEDULES = st.one_of(
    st.fixed_dictionaries({"from_epoch": st.integers(-1, 3)}),
    st.lists(st.fixed_dictionaries({"epoch": st.integers(0, 4), "weights": VALUES}), max_size=3),
    TREES,
)
RULES = st.fixed_dictionaries(
    {"layers": st.sampled_from([".*", "dense", "lstm", "none", "d(", "(dense|lstm)"])},
    optional={
        "class": st.sampled_from(["Dense", "LSTM", "Add"]),
        "weights": VALUES,
        "bias": VALUES,
        "state": VALUES,
        "momentum": VALUES,
        "quantize": st.sampled_from(["none", "all"]),
        "schedule": SCHEDULES,
        "optional": st.booleans(),
    },
)
MAPS = st.fixed_dictionaries(
    {"version": st.just(1), "rules": st.lists(RULES, min_size=1, max_size=3)},
    optional={
        "formats": st.dictionaries(st.sampled_from(["w8", "none", "binary"]), FORMATS),
        "defaults": st.dictionaries(st.sampled_from(list(DEFAULTS)), SCALARS, max_size=2),
    },
)


@pytest.fixture(scope="module")
def model():
    x = keras.Input((4, 4))
    y = keras.layers.LSTM(4, name="lstm")(x)
    return keras.Model(x, keras.layers.Dense(4, name="dense")(y))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "map.yaml"


def outcome(path, text, model):
    """ "planned" or the message of the InputError; anything else fails the test."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        plan = QuantizationMap.from_yaml(path).plan(model)
    except InputError as error:
        assert str(error).startswith(str(path)), error
        return str(error)
    assert str(plan) and plan.to_dict()["rows"]
    return "planned"


@settings(max_examples=150)
@given(tree=st.one_of(MAPS, TREES))
def test_random_maps(tree, model, path):
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(tree, file)
    outcome(path, path.read_text(encoding="utf-8"), model)


@settings(max_examples=150)
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                ["version: 1\n", "rules:\n", "  - ", "{layers: a, ", "weights: w8}\n", "&a ", "*a "]
                + ["? ", "!!set ", "!!float ", "2001-01-01\n", "<<: ", "[", "]", "\t", "|\n", "'"]
                + ["---\n", "!!python/name:os.system ", "%YAML 1.1\n", "0x1F\n", ".nan\n", "\x00"]
            ),
            max_size=12,
        ).map("".join),
    )
)
def test_random_text(text, model, path):
    outcome(path, text, model)


def test_the_examples_reach_both_outcomes(model, path):
    good = "version: 1\nrules: [{layers: dense, weights: bfloat16}]\n"
    assert outcome(path, good, model) == "planned"
    assert "unknown key" in outcome(path, good.replace("weights", "weight"), model)
