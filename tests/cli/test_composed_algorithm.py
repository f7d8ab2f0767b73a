"""`algorithm` as an estimator and an iterate: accepted, resolved, refused, giving way."""

import itertools
import json

import pytest

from tq_halp import config as configs
from tq_halp.config.sections import KEYS
from tq_halp.errors import InputError

BASE = {
    "data": {"name": "python_docs"},
    "model": {"name": "lstm_language_model"},
    "optimizer": {"learning_rate": 0.1},
    "train": {"epochs": 1, "batch_size": 8},
}
REDUCED, CENTERED = {"name": "variance_reduced"}, {"name": "bit_centered"}
MINE = {"name": "mine>Momentum", "decay": 0.9, "mu": "large"}


@pytest.fixture
def written(tmp_path):
    def write(algorithm):
        path = tmp_path / "run.yaml"
        text = json.dumps(BASE, indent=1).removesuffix("\n}")
        path.write_text(f'{text},\n"algorithm":\n{json.dumps(algorithm, indent=1)}\n}}')
        return path

    return write


PAIRINGS = [*itertools.product(KEYS["algorithm.estimator"], KEYS["algorithm.iterate"])]


@pytest.mark.parametrize("estimator, iterate", PAIRINGS)
def test_every_pairing_loads_and_its_resolved_config_loads_equal(
    tmp_path, written, estimator, iterate
):
    config = configs.load(written({"estimator": {"name": estimator}, "iterate": {"name": iterate}}))
    assert config.algorithm.title == f"{estimator}+{iterate}"
    used = config.used("algorithm")
    assert set(used["estimator"]) == {"name", *KEYS["algorithm.estimator"][estimator]}
    keys = {"name", *KEYS["algorithm.iterate"][iterate]}
    if (estimator, iterate) == ("variance_reduced", "bit_centered"):
        keys -= {"snapshot_every", "snapshot_fraction", "iterate"}
    assert set(used["iterate"]) == keys and set(used) == {"estimator", "iterate"}
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert configs.load(again).model_dump() == config.model_dump()


def test_a_part_that_is_left_out_is_the_plain_one(written):
    assert configs.load(written({"estimator": REDUCED})).algorithm.title.endswith("+full_precision")
    assert configs.load(written({"iterate": CENTERED})).algorithm.title.startswith("minibatch+")


def test_a_class_of_ones_own_takes_what_arguments_it_likes(tmp_path, written):
    config = configs.load(written({"estimator": MINE, "iterate": CENTERED, "imports": ["mine"]}))
    assert config.used("algorithm")["estimator"] == MINE
    assert config.used("algorithm")["iterate"]["snapshot_every"] == "epoch"
    assert config.algorithm.title == "Momentum+bit_centered"
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert configs.load(again).model_dump() == config.model_dump()


@pytest.mark.parametrize(
    "algorithm, subject, said",
    [
        ({}, "algorithm.name is missing", "; or give an estimator and an iterate"),
        ({"word_bits": 8}, "algorithm.name is missing", "; or give an estimator and an iterate"),
        ({"iterate": "last"}, "algorithm.name is missing", "; or give an estimator and an iterate"),
        (
            {"name": "halp", "iterate": CENTERED},
            "algorithm.iterate: received",
            "nothing beside algorithm.name; give either a name, or an estimator and an iterate",
        ),
        ({"name": "sgd", "iterate": CENTERED}, "algorithm.iterate: rec", "beside algorithm.name"),
        ({"name": "sgd", "estimator": REDUCED}, "algorithm.estimator: r", "beside algorithm.name"),
        ({"name": "sgd", "imports": ["m"]}, "algorithm.imports: rec", "beside algorithm.name"),
        (
            {"estimator": REDUCED, "mu": 3},
            "algorithm.mu: received 3, which does nothing beside algorithm.estimator",
            "it is for algorithm.iterate.name=bit_centered",
        ),
        (
            {"estimator": {"name": "minibatch", "mu": 3}},
            "algorithm.estimator.mu: received 3, which does nothing under algorithm.estimator.",
            "it is for algorithm.iterate.name=bit_centered; further keys of minibatch: none",
        ),
        (
            {"estimator": {"name": "minibatch", "draws": "fresh"}},
            "algorithm.estimator.draws: received 'fresh', which does nothing under",
            "it is for variance_reduced and gradient_table; further keys of minibatch: none",
        ),
        (
            {"iterate": {"name": "fixed_grid", "average_after": 3}},
            "algorithm.iterate.average_after: received 3",
            "for averaged; further keys of fixed_grid: word_bits, frac_bits, format, rounding",
        ),
        (
            {"estimator": REDUCED, "iterate": {**CENTERED, "snapshot_every": 5}},
            "algorithm.iterate.snapshot_every: received 5",
            "set algorithm.estimator.snapshot_every",
        ),
        (
            {"estimator": {**REDUCED, "coefficient": 0, "snapshot_every": 5}},
            "algorithm.estimator.snapshot_every: received 5",
            "nothing with algorithm.estimator.coefficient 0",
        ),
        (
            {"iterate": {"name": "fixed_grid", "format": "bfloat16", "frac_bits": 3}},
            "algorithm.iterate.frac_bits: received 3",
            "beside algorithm.iterate.format",
        ),
        (
            {"iterate": {**CENTERED, "format": "mxfp8", "mu": 3.0}},
            "algorithm.iterate.mu",
            "fits its",
        ),
        ({"iterate": CENTERED, "imports": ["m"]}, "algorithm.imports: received", "package>Class"),
        ({"iterate": {**CENTERED, "scala": 3}}, "unknown key 'algorithm.iterate.sc", "n 'scale'?"),
        ({"iterate": {**CENTERED, "word_bits": 1}}, "algorithm.iterate.word_bits", "from 2 to 64"),
        ({"iterate": {"name": "averagd"}}, "algorithm.iterate.name: received", "mean 'averaged'?"),
        ({"iterate": {"name": "x"}}, "algorithm.iterate.name: received 'x'", "r package>Class"),
        ({"iterate": {"word_bits": 3}}, "algorithm.iterate.name is missing", ""),
        ({"iterate": 3}, "algorithm.iterate: received 3", "expected a mapping"),
        ({"estimator": REDUCED, "itarate": CENTERED}, "unknown key 'algorithm.itar", "'iterate'?"),
    ],
)
def test_mistakes(written, algorithm, subject, said):
    path = written(algorithm)
    with pytest.raises(InputError) as caught:
        configs.load(path)
    where, message = str(caught.value).removeprefix(f"{path}:").split(": ", 1)
    assert int(where) > 13 and "\n" not in message
    assert message.startswith(subject) and said in message, message


def test_a_form_gives_way_to_the_other_that_is_set(written):
    composed = written({"estimator": REDUCED, "iterate": CENTERED})
    assert configs.load(composed, ["algorithm.name=sgd"]).model_dump()["algorithm"] == {
        "name": "sgd"
    }
    named = written({"name": "halp", "mu": 3.0})
    found = configs.load(named, ['algorithm={"estimator": {"name": "variance_reduced"}}'])
    assert found.algorithm.title == "variance_reduced+full_precision"
    with pytest.raises(
        InputError, match=r"^--set algorithm.estimator.name: .* beside algorithm.na"
    ):
        configs.load(named, ["algorithm.estimator.name=minibatch"])


def test_an_argument_of_a_part_is_set_by_its_place(written):
    path = written({"estimator": REDUCED, "iterate": CENTERED})
    found = configs.load(path, ["algorithm.iterate.word_bits=4", "algorithm.estimator.draws=fresh"])
    assert found.algorithm.iterate.word_bits == 4 and found.algorithm.estimator.draws == "fresh"
    assert found.algorithm.numbers == "4 bits"
    found = configs.load(path, ["algorithm.estimator.name=minibatch"])
    assert found.used("algorithm")["estimator"] == {"name": "minibatch"}
    assert found.subject("algorithm", "iterate", "word_bits").startswith(f"{path}:")
    assert found.blame("algorithm", "snapshot_every must be").endswith("iterate.snapshot_every")


# ---- what is built -------------------------------------------------------------------------------


@pytest.fixture
def build(written):
    from tq_halp.commands.running.build_trainer import build_trainer
    from tq_halp.models import linear

    return lambda algorithm: build_trainer(configs.load(written(algorithm)), linear(3))


def test_a_pairing_is_built_of_the_parts_that_it_names(build):
    trainer = build({"estimator": REDUCED, "iterate": {"name": "fixed_grid", "word_bits": 4}})
    assert type(trainer).__name__ == "Trainer"
    with pytest.raises(InputError, match="algorithm.estimator: mine>Momentum: .*'decay'"):
        import keras

        @keras.saving.register_keras_serializable("mine")
        class Momentum:
            def __init__(self):
                pass

            def get_config(self):
                return {}

        build({"estimator": MINE})


@pytest.mark.parametrize(
    "algorithm, said",
    [
        ({"estimator": {"name": "mine>Other"}}, "received 'mine>Other', expected the name under"),
        ({"estimator": MINE, "imports": ["no_module"]}, "imports: no_module cannot be imported"),
    ],
)
def test_a_class_that_is_not_there(build, algorithm, said):
    with pytest.raises(InputError, match=said):
        build(algorithm)
