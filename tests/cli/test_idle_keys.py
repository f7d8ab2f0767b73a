"""A key that does nothing: refused, given way, or left out."""

import json
import re
from pathlib import Path

import pytest
from key_values import VALUES
from ruamel.yaml import YAML

from quant_ops.format_facts import RANGES
from tq_halp import config as configs
from tq_halp.config.sections import KEYS
from tq_halp.config.unused_keys import idle
from tq_halp.errors import InputError
from tq_halp.formats import FixedPoint

PTB = Path(__file__).resolve().parents[2] / "configs" / "lstm_ptb.yaml"
BASE = {
    "data": {"name": "python_docs"},
    "model": {"name": "lstm_language_model"},
    "algorithm": {"name": "sgd"},
    "optimizer": {"learning_rate": 0.1},
    "train": {"epochs": 1, "batch_size": 8},
}
PAIRS = [
    (section, name, key)
    for section in ("data", "model", "algorithm")
    for name in KEYS[section]
    for key in dict.fromkeys(key for keys in KEYS[section].values() for key in keys)
]


def written(tmp_path, text_before="", **sections):
    """A config with sections changed, JSON being YAML."""
    path = tmp_path / "run.yaml"
    path.write_text(text_before + json.dumps(BASE | sections))
    return path


# ---- ranges ------------------------------------------------------------------------------------


def test_ranges_are_those_of_the_formats(tmp_path):
    """The ends may be, what is next to them may not; one bit of an offset is its sign."""
    for name, key, (low, high) in [
        ("lp_sgd", "word_bits", RANGES["fixed_point"]["word_bits"]),
        ("lp_svrg", "frac_bits", RANGES["fixed_point"]["frac_bits"]),
        ("halp", "word_bits", RANGES["offset"]["word_bits"]),
        ("bc_sgd", "word_bits", RANGES["offset"]["word_bits"]),
    ]:
        for value in (low, high):
            configs.load(written(tmp_path, algorithm={"name": name, key: value}))
            FixedPoint(**{"word_bits": 8, "frac_bits": 0, key: value})
        for value in (low - 1, high + 1):
            with pytest.raises(InputError, match=f"{key}: received {value}, expected a whole"):
                configs.load(written(tmp_path, algorithm={"name": name, key: value}))


# ---- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("section, name, key", PAIRS)
def test_a_key_is_used_or_refused_under_every_name(tmp_path, section, name, key):
    """In the file with its line, by --set with its name."""
    path, value = tmp_path / "run.yaml", VALUES[key]
    others = [f"{other}: {json.dumps(given)}" for other, given in BASE.items() if other != section]
    head = "\n".join([*others, f"{section}:", f"  name: {name}"])
    by_file = f"{head}\n  {key}: {json.dumps(value)}", []
    by_set = head, [f"{section}.{key}={json.dumps(value)}"]
    for (text, sets), subject in [(by_file, f"{path}:7: "), (by_set, "--set ")]:
        path.write_text(text)
        if key in KEYS[section][name]:
            found = configs.load(path, sets).used(section)[key]
            assert found == value or key == "dir"
            continue
        with pytest.raises(InputError) as caught:
            configs.load(path, sets)
        message = str(caught.value)
        said = f"{subject}{section}.{key}: received {value!r}, which does nothing under {section}."
        assert message.startswith(said) and "\n" not in message
        for other, keys in KEYS[section].items():
            assert key not in keys or other in message
        assert message.endswith(", ".join(KEYS[section][name]) or "none")


FLOAT8, BLOCKS = "float8_e5m2", {"format": "block_float", "word_bits": 8, "block_size": 32}


def cosine(**more):
    config = {"initial_learning_rate": 1.0, "decay_steps": 5, **more}
    return {"learning_rate": {"class_name": "CosineDecay", "config": config}}


@pytest.mark.parametrize(
    "section, given, key, said",
    [
        ("algorithm", {"name": "halp", "format": FLOAT8, "word_bits": 8}, "word_bits", "beside"),
        ("algorithm", {"name": "lp_sgd", "format": FLOAT8, "frac_bits": 6}, "frac_bits", "beside"),
        ("algorithm", {"name": "halp", "format": BLOCKS, "mu": "auto"}, "mu", "fits itself"),
        ("algorithm", {"name": "bc_sgd", "format": "mxfp8", "mu": 3.0}, "mu", "fits itself"),
        ("algorithm", {"name": "halp", "format": "mxfp8", "scale": "global"}, "scale", "fits its"),
        ("algorithm", {"name": "svrg", "coefficient": 0, "iterate": "last"}, "iterate", "nt 0;"),
        ("algorithm", {"name": "svrg", "coefficient": 0, "snapshot_every": 5}, "_every", "nt 0;"),
        ("algorithm", {"name": "lp_svrg", "coefficient": 0.0, "start_after": 5}, "start", "nt 0;"),
        ("algorithm", {"name": "halp", "coefficient": 0, "draws": "fresh"}, "draws", "nt 0;"),
        ("optimizer", {"learning_rate": 1, "nesterov": True}, "nesterov", "without optimizer.mo"),
        (
            "optimizer",
            {"learning_rate": 1, "nesterov": True, "momentum": 0.0},
            "nesterov",
            "without optimizer.momentum",
        ),
        ("optimizer", {"learning_rate": 1, "ema_momentum": 0.9}, "ema_momentum", "use_ema: true"),
        (
            "optimizer",
            cosine(warmup_steps=3),
            "learning_rate.config.warmup_steps",
            "without optimizer.learning_rate.config.warmup_target",
        ),
        (
            "optimizer",
            cosine(warmup_target=3),
            "learning_rate.config.warmup_target",
            "needs optimizer.learning_rate.config.warmup_steps above 0",
        ),
        ("train", {"epochs": 1, "batch_size": 8, "loss": "mse"}, "loss", "a loss of its own"),
    ],
)
def test_keys_that_others_leave_nothing_to_do(tmp_path, section, given, key, said):
    with pytest.raises(InputError) as caught:
        configs.load(written(tmp_path, **{section: given}))
    message = str(caught.value)
    assert f"{section}." in message and key in message and said in message
    assert message.startswith(f"{tmp_path / 'run.yaml'}:1: ") and "\n" not in message


@pytest.mark.parametrize(
    "section, given",
    [
        ("algorithm", {"name": "halp", "format": FLOAT8, "mu": 3.0, "scale": "global"}),
        ("algorithm", {"name": "halp", "coefficient": 0, "snapshot_every": 5, "start_after": 5}),
        ("algorithm", {"name": "lp_sgd", "format": "ternary", "rounding": None}),
        ("optimizer", {"learning_rate": 1, "nesterov": True, "momentum": 0.9}),
        ("optimizer", {"learning_rate": 1, "ema_momentum": 0.9, "use_ema": True}),
        ("train", {"epochs": 1, "batch_size": 8, "loss": None}),
    ],
)
def test_keys_that_do_something_together(tmp_path, section, given):
    found = configs.load(written(tmp_path, **{section: given})).model_dump()[section]
    assert given.items() <= found.items()


def test_idle_keys_and_other_mistakes_are_told_at_once(tmp_path):
    path = written(tmp_path, algorithm={"name": "sgd", "mu": 3}, seed=-1)
    with pytest.raises(InputError) as caught:
        configs.load(path, ["train.epochs=0", "model.blocks=[1]"])
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    "algorithm, said",
    [
        (
            {"name": "swalp", "average_after": 9},
            "average_after: the first .* step 10, and the run h",
        ),
        ({"name": "swalp", "average_after": 5, "average_every": 6}, "is that of step 11, and the"),
        (
            {"name": "svrg", "start_after": 9},
            "start_after: received 9, and the run has 9 steps: no",
        ),
        ({"name": "swalp", "average_after": 8}, None),
        ({"name": "svrg", "start_after": 8}, None),
    ],
)
def test_what_a_short_run_never_comes_to_is_said(tmp_path, recwarn, algorithm, said):
    """Not refused: the same config may be meant for more examples."""
    from tq_halp import data
    from tq_halp.commands.running import experiment

    sections = {
        "data": {"name": "linear_regression", "samples": 30, "features": 2},
        "model": {"name": "linear"},
        "train": {"epochs": 3, "batch_size": 10},
    }
    config = configs.load(written(tmp_path, algorithm=algorithm, **sections))
    experiment.build(config, data.load(config.data))
    messages = [str(warning.message) for warning in recwarn]
    assert len(messages) == bool(said) and all(re.search(said, each) for each in messages)


# ---- given way -----------------------------------------------------------------------------------


def test_a_setting_takes_what_it_leaves_nothing_to_do_along(tmp_path):
    """Of the file; what is set as well is meant."""
    assert configs.load(PTB, ["algorithm.name=sgd"]).model_dump()["algorithm"] == {"name": "sgd"}
    found = configs.load(PTB, ["algorithm.format=float8_e5m2"]).used("algorithm")
    assert "word_bits" not in found and found["format"] == "float8_e5m2"
    assert configs.load(PTB, ["data.name=mnist"]).used("data").keys() == set(KEYS["data"]["mnist"])
    for sets in (
        ["algorithm.name=sgd", "algorithm.mu=3"],
        ["algorithm.mu=3", "algorithm.name=sgd"],
    ):
        with pytest.raises(
            InputError, match=r"^--set algorithm.mu: received 3, .* halp, bc_sgd and bc_saga"
        ):
            configs.load(PTB, sets)
    with pytest.raises(InputError, match="--set algorithm: algorithm.mu: received 3"):
        configs.load(PTB, ["algorithm={name: sgd, mu: 3}"])


def test_what_meant_nothing_before_a_setting_is_refused_after_it(tmp_path):
    path = written(tmp_path, algorithm={"name": "sgd", "mu": 3})
    with pytest.raises(InputError, match="algorithm.mu: received 3, which does nothing under"):
        configs.load(path, ["algorithm.name=svrg"])
    assert configs.load(path, ["algorithm.name=halp"]).algorithm.mu == 3.0


# ---- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEYS["algorithm"])
def test_a_resolved_config_holds_what_does_something_and_loads_equal(tmp_path, name):
    config = configs.load(PTB, [f"algorithm.name={name}"])
    values = YAML(typ="safe", pure=True).load(config.to_yaml())
    assert idle(values) == {}
    assert set(values["algorithm"]) == {"name", *KEYS["algorithm"][name]}
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert configs.load(again).model_dump() == config.model_dump()


def test_a_resolved_config_of_a_former_version_loads(tmp_path):
    """It holds the keys of all algorithms; without the line that a run writes they are refused."""
    old = {"name": "sgd", "word_bits": 8, "frac_bits": 5, "format": None, "mu": 3.0}
    found = configs.load(written(tmp_path, configs.WRITTEN_BY_RUN, algorithm=old))
    assert found.model_dump()["algorithm"] == {"name": "sgd"}
    with pytest.raises(InputError, match="--set algorithm.mu"):
        configs.load(tmp_path / "run.yaml", ["algorithm.mu=3"])
    with pytest.raises(InputError) as caught:
        configs.load(written(tmp_path, algorithm=old))
    assert len(str(caught.value).splitlines()) == 4
