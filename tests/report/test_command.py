"""`python -m tq_halp.report`: what it prints, and how it ends."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
import report_models

import tq_halp
from tq_halp.commands.dispatch import main as tq_halp_command
from tq_halp.commands.report import main

X, Y = np.float32([[1, 2], [3, 4]]), np.float32([[0], [1]])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report_models.dense().save(folder / "model.keras")
    np.savez(folder / "data.npz", x=X, y=Y)
    np.savez(folder / "other.npz", inputs=X)
    np.savez(folder / "weights.npz", x=X, sample_weight=Y)
    np.savez(folder / "objects.npz", x=np.array([None]))
    np.savez(folder / "wide.npz", x=np.ones([2, 3]))
    (folder / "text.npz").write_text("x")
    return folder


def run(folder, *more, model="model.keras", data="data.npz"):
    return main(["--model", str(folder / model), "--data", str(folder / data), *more])


def test_prints_the_report_and_writes_the_page(files, tmp_path, capsys):
    path = tmp_path / "out.html"
    assert run(files, "--html", str(path), "--batch-size", "1", "--word-bits", "6") == 0
    printed = capsys.readouterr().out.splitlines()
    expected = tq_halp.report(report_models.dense(), (X, Y), batch_size=1, word_bits=6)
    assert printed == [*str(expected).splitlines(), str(path)]
    assert "</html>" in path.read_text()


def test_the_arrays_of_the_train_command(files, tmp_path, capsys):
    parts = {"x_train": X, "y_train": Y, "x_validation": X[:1], "y_validation": Y[:1]}
    np.savez(tmp_path / "all.npz", **parts)
    assert run(files) == 0
    expected = capsys.readouterr().out
    assert run(files, data=tmp_path / "all.npz") == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": "no.npz"}, "--data .*no.npz: cannot be read: No such file"),
        ({"data": "text.npz"}, "--data .*: cannot be read: no .npz file of plain arrays"),
        ({"data": "model.keras"}, "--data .*: "),
        ({"data": "objects.npz"}, "--data .*: cannot be read: no .npz file of plain arrays"),
        ({"data": "other.npz"}, "must hold arrays named x .*Received: inputs"),
        ({"data": "weights.npz"}, "holds sample_weight without y"),
        ({"data": "wide.npz"}, "data must be what the model takes"),
        ({"model": "no.keras"}, "--model .*no.keras: no such file"),
        ({"model": "data.npz"}, "--model .*data.npz: cannot be loaded"),
        ({"html": "nowhere/out.html"}, "--html .*: no such folder"),
        ({"loss": "squares"}, "loss: .*squares"),
        ({"batch-size": "0"}, "batch_size must be an integer at least 1. Received: 0"),
    ],
    ids=str,
)
def test_wrong_input_is_one_line_and_status_2(files, capsys, change, message):
    names = {key: change[key] for key in ("model", "data") if key in change}
    options = {f"--{key}": value for key, value in change.items() if key not in names}
    if "--html" in options:
        options["--html"] = str(files / options["--html"])
    assert run(files, *itertools.chain.from_iterable(options.items()), **names) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line)


def test_a_failure_is_status_1(files, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("tq_halp.commands.report._report", fail)
    assert run(files) == 1
    assert capsys.readouterr().err == "failed: RuntimeError: out of luck\n"


def test_as_a_command_of_its_own(files):
    """The mistake is found before TensorFlow is waited for, and ends without a traceback."""
    command = [sys.executable, "-m", "tq_halp.report", "--model", "no.keras", "--data", "no.npz"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --data no.npz: cannot be read: No such file or directory\n"


def test_as_a_part_of_tq_halp(files, capsys):
    data = str(files / "no.npz")
    assert tq_halp_command(["report", "--model", "m.keras", "--data", data]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_command_s_module_does_not_hide_the_function():
    import tq_halp.report

    assert tq_halp.report is tq_halp.analysis.report
