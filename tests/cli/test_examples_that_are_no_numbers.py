"""NaN and infinities in the data: said with their place, before anything is trained."""

import json
import re

import numpy as np
import pytest

from tests import runs_here
from tq_halp.commands import train
from tq_halp.commands.dispatch import main as tq_halp_command

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

CONFIG = {
    "data": {"name": "arrays", "file": "odd.npz"},
    "model": {"name": "linear_classifier"},
    "algorithm": {"name": "sgd"},
    "optimizer": {"learning_rate": 0.1},
    "train": {"epochs": 1, "batch_size": 2},
}
OF_FLOAT32 = "examples is 1e\\+39, expected a finite number of float32"


@pytest.fixture
def saved(tmp_path):
    """Writes the config and its arrays, one number of them another one."""

    def save(name=None, at=None, value=None, dtype="float64"):
        arrays = {}
        for part in ("train", "validation", "test"):
            arrays[f"x_{part}"] = np.ones((4, 2), dtype)
            arrays[f"y_{part}"] = np.arange(4) % 2
        if name:
            arrays[name][at] = value
        np.savez(tmp_path / "odd.npz", **arrays)
        (tmp_path / "run.yaml").write_text(json.dumps(CONFIG))
        return ["--config", str(tmp_path / "run.yaml"), "--run-dir", str(tmp_path / "run")]

    return save


def refused(capsys, status):
    """The message of a command that was given wrong input."""
    error = capsys.readouterr().err
    assert status == train.WRONG_INPUT
    assert error.startswith("error: ") and error.count("\n") == 1, error
    return error


@pytest.mark.parametrize(
    "name, at, value, said",
    [
        (
            "x_train",
            (2, 1),
            np.nan,
            r"x_train must hold finite numbers. Received: nan at \[2, 1\]",
        ),
        (
            "x_validation",
            (3, 0),
            -np.inf,
            r"x_validation must hold .* Received: -inf at \[3, 0\]",
        ),
        ("x_test", (0, 0), np.inf, r"odd.npz: x_test must hold .* Received: inf at \[0, 0\]"),
        # Finite as they are, and none of the numbers in which is trained.
        (
            "x_train",
            (2, 1),
            1e39,
            rf"run.yaml:1: data: odd.npz: x\[2, 1\] of the training {OF_FLOAT32}",
        ),
        ("x_test", (3, 1), 1e39, rf"x\[3, 1\] of the test {OF_FLOAT32}"),
    ],
)
def test_train(saved, capsys, tmp_path, name, at, value, said):
    assert re.search(said, refused(capsys, train.main(saved(name, at, value))))
    assert not (tmp_path / "run").exists()


def test_of_a_set_that_is_generated(saved, capsys):
    """As every other kind of data."""
    sets = ["data.name=linear_regression", "data.noise=1e39", "model.name=linear"]
    arguments = [*saved(), *(part for each in sets for part in ("--set", each))]
    error = refused(capsys, train.main(arguments))
    assert re.search(r"data: linear_regression: y\[\d+, 0\] of the training examples is", error)


def test_compare(saved, capsys, tmp_path, monkeypatch):
    runs_here.patch(monkeypatch)
    arguments = [*saved("x_train", (2, 1), 1e39), "--algorithms", "sgd,svrg", "--seeds", "0"]
    error = refused(capsys, tq_halp_command(["compare", *arguments]))
    assert re.search(rf"sgd: .*data: odd.npz: x\[2, 1\] of the training {OF_FLOAT32}", error)
    assert not (tmp_path / "run" / "runs").exists()


def test_report(saved, capsys, tmp_path):
    saved("x_train", (2, 1), np.nan)
    arguments = ["--model", "none.keras", "--data", str(tmp_path / "odd.npz")]
    error = refused(capsys, tq_halp_command(["report", *arguments]))
    assert error == (
        f"error: --data {tmp_path / 'odd.npz'}: x[2, 1] is nan, expected a finite number\n"
    )
