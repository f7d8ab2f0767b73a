"""Variables of the environment that name what there is not: every command says so, first."""

import pytest

from tq_halp.commands.dispatch import main as cli

COMMANDS = {
    "train": ["--config", "regression.yaml", "--run-dir", "made"],
    "compare": ["--config", "regression.yaml", "--algorithms", "sgd,svrg", "--run-dir", "made"],
    "report": ["--model", "none.keras", "--data", "none.npz", "--html", "made"],
    "plan": ["--config", "run.yaml"],
    "bench": ["linear"],
    "doctor": [],
}


@pytest.mark.parametrize("name, value", [("BACKEND", "nope"), ("ISA", "nope"), ("BACKEND", " ")])
@pytest.mark.parametrize("command", COMMANDS)
def test_is_one_message_and_no_folder(folder, capsys, monkeypatch, command, name, value):
    monkeypatch.chdir(folder)
    monkeypatch.setenv(f"QUANT_OPS_{name}", value)
    assert cli([command, *COMMANDS[command]]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: QUANT_OPS_{name} must be ") and errors.count("\n") == 1
    assert f"Received: {value!r}" in errors
    assert not (folder / "made").exists()
