"""`python -m tq_halp.plan`: a table, data or a schema; one message and exit 2 for wrong input."""

import json

import keras
import pytest

from tq_halp.commands import dispatch, plan

MAP = """version: 1
formats:
  w8: {format: fixed_point, word_bits: 8, frac_bits: 6}
rules:
  - {layers: head, weights: w8}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, a map for it and a config with a map."""
    folder = tmp_path_factory.mktemp("plan")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    model.save(folder / "model.keras")
    (folder / "map.yaml").write_text(MAP)
    (folder / "wrong.yaml").write_text(MAP.replace("head", "haed"))
    (folder / "config.yaml").write_text(
        "data: {name: linear_regression, samples: 8, features: 3}\n"
        "model: {name: linear}\n"
        "algorithm: {name: sgd}\n"
        "optimizer: {learning_rate: 0.1}\n"
        "train: {epochs: 1, batch_size: 4}\n"
        "quantization:\n"
        "  version: 1\n"
        "  rules:\n"
        '  - {layers: ".*", weights: bfloat16}\n'
    )
    (folder / "float.yaml").write_text(
        (folder / "config.yaml").read_text().partition("quantization")[0]
    )
    return folder


def run(folder, *arguments):
    return plan.main([a.replace("@", f"{folder}/") for a in arguments])


def test_the_plan_of_a_saved_model(folder, capsys):
    assert run(folder, "--model", "@model.keras", "--map", "@map.yaml") == 0
    shown = capsys.readouterr().out
    assert "│ head" in shown and "fixed_point(8, 6) nearest_even" in shown


def test_the_plan_as_json(folder, capsys):
    arguments = ["plan", "--model", f"{folder}/model.keras", "--map", f"{folder}/map.yaml"]
    assert dispatch.main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["tensor"], row["rule"]) for row in rows][:2] == [("weights", 1), ("bias", 1)]


def test_the_plan_of_a_config(folder, capsys):
    assert run(folder, "--config", "@config.yaml") == 0
    assert "bfloat16 nearest_even" in capsys.readouterr().out


def test_the_schema(folder, capsys):
    assert run(folder, "--schema") == 0
    assert json.loads(capsys.readouterr().out)["properties"]["version"] == {"const": 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model", "@model.keras", "--map", "@wrong.yaml"], "wrong.yaml:5: rule 1: matches no"),
        (["--model", "@model.keras", "--map", "@none.yaml"], "none.yaml: no such file"),
        (["--model", "@none.keras", "--map", "@map.yaml"], "none.keras: no such model file"),
        (["--model", "@map.yaml", "--map", "@map.yaml"], "cannot be loaded as a Keras model"),
        (["--config", "@float.yaml"], "float.yaml: has no quantization"),
        (["--config", "@none.yaml"], "none.yaml: no such config file"),
    ],
)
def test_wrong_input_is_one_line(folder, capsys, arguments, expected):
    assert run(folder, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert shown.err.startswith("error: ") and expected in shown.err


@pytest.mark.parametrize(
    "arguments", [[], ["--model", "m"], ["--map", "m"], ["--schema", "--config", "c"], ["--what"]]
)
def test_wrong_arguments(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        plan.main(arguments)
    assert exit.value.code == 2
    assert "usage: tq-halp plan" in capsys.readouterr().err
