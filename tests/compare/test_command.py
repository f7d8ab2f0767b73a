"""The command with real runs: stopped, repeated, killed."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests import runs_here
from tq_halp.commands import train
from tq_halp.commands.compare import command
from tq_halp.commands.compare.folder_lock import FolderLock

# A run takes a second or more once TensorFlow has started, so that it can be stopped on its way.
LONG = ["--set", "train.epochs=30"]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tq_halp.compare", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_epoch(run, process):
    """Until a run has rows of one epoch at least."""
    for _ in range(3600):
        assert process.poll() is None, process.communicate()
        with_rows = (run / "metrics.csv").exists()
        if with_rows and (run / "metrics.csv").read_text().count("\n") > 2:
            return
        time.sleep(0.05)
    raise AssertionError(f"{run} did not begin")


def status(run):
    return json.loads((run / "summary.json").read_text())["status"]


def moments(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*")}


@pytest.fixture(scope="module")
def story(config, tmp_path_factory):
    """A finished run, another that is stopped on its way, then all with one label more."""
    folder = tmp_path_factory.mktemp("story") / "out"
    common = ["--config", str(config), "--run-dir", str(folder), "--jobs", "2", *LONG]
    done, stopped = folder / "runs" / "sgd-seed0", folder / "runs" / "halp-seed0"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        runs_here.patch(patch)
        assert command.main([*common, "--algorithms", "sgd", "--seeds", "0"]) == command.FINISHED
    process = start(*common, "--algorithms", "sgd,halp", "--seeds", "0", "--jobs", "1")
    wait_for_epoch(stopped, process)
    found = {"folder": folder, "done": done, "before": moments(done)}
    with contextlib.redirect_stderr(io.StringIO()) as said:
        found["refused"] = command.main(common), said.getvalue()
    process.send_signal(signal.SIGINT)
    found["said"] = process.communicate()[1]
    found["code"], found["status"] = process.returncode, status(stopped)
    process = start(
        *common,
        *("--algorithms", "sgd,halp,wild=sgd", "--seeds", "0"),
        *("--set", "wild.optimizer.learning_rate=1e9"),
    )
    found["shown"], found["said again"] = process.communicate()
    found["code again"] = process.returncode
    return found


def test_two_at_once_are_refused(story):
    code, said = story["refused"]
    assert code == command.WRONG_INPUT and "another comparison is running there" in said


def test_stopped_gracefully(story):
    assert (story["code"], story["status"]) == (command.INTERRUPTED, "interrupted")
    assert "SIGINT: the runs stop" in story["said"]
    assert "to continue, run the same command again" in story["said"]
    assert "Traceback" not in story["said"]


def test_repeated_it_goes_on(story):
    assert story["code again"] == command.FINISHED, story["said again"]
    assert moments(story["done"]) == story["before"]
    summary = json.loads((story["folder"] / "runs/halp-seed0/summary.json").read_text())
    assert summary["status"] == "finished" and summary["resumed_after_step"] > 0
    assert "halp-seed0: finished, epoch 30 of 30, loss" in story["shown"]
    assert "sgd-seed0: " not in story["shown"]


def test_a_run_that_diverged_cost_no_other(story):
    with open(story["folder"] / "compare.csv", newline="") as file:
        states = {row["label"]: row["status"] for row in csv.DictReader(file)}
    assert states == {"sgd": "finished", "halp": "finished", "wild": "diverged"}
    assert "wild-seed0: diverged (the training loss became inf" in story["shown"]
    assert {path.name for path in story["folder"].iterdir()} == {
        *("compare.csv", "compare.yaml", "curves.png", "lock", "logs", "report.html", "runs"),
        "summary.md",
    }


def test_runs_do_not_outlive_a_comparison_that_was_killed(config, tmp_path):
    folder = tmp_path / "out"
    arguments = ["--config", str(config), "--run-dir", str(folder), "--set", "train.epochs=10000"]
    process = start(*arguments, "--algorithms", "sgd", "--seeds", "0")
    run = folder / "runs" / "sgd-seed0"
    wait_for_epoch(run, process)
    process.kill()
    process.communicate()
    with FolderLock(folder):  # Waits for the run.
        assert status(run) == "interrupted"


@pytest.mark.filterwarnings("default")
def test_killed_and_repeated_it_ends_as_if_it_never_was(config, tmp_path, monkeypatch, capsys):
    """By the signal that cannot be caught: before the first run, and on its way.

    The budget buys 4 epochs, and the schedule stretches to them. What was killed had processes;
    what goes on needs none.
    """
    folder, alone = tmp_path / "out", tmp_path / "alone"
    cosine = "{class_name: CosineDecay, config: {initial_learning_rate: 0.1, decay_steps: all}}"
    schedule = ["--set", f"optimizer.learning_rate={cosine}"]
    arguments = ["--config", str(config), "--run-dir", str(folder), "--jobs", "1", *schedule]
    arguments += ["--algorithms", "halp", "--seeds", "0", "--budget", "14.9"]
    for sign in ("compare.yaml", "runs/halp-seed0/metrics.csv"):
        process = start(*arguments)
        while process.poll() is None and not (folder / sign).exists():
            time.sleep(0.01)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    runs_here.patch(monkeypatch)
    assert command.main(arguments) == command.FINISHED
    said = capsys.readouterr().out
    assert "there is nothing left to train" not in said
    planned = next(line for line in said.splitlines() if line.split()[:1] == ["halp"])
    assert planned.split() == ["halp", "20", "4", "80", "12"]
    summary = json.loads((folder / "runs" / "halp-seed0" / "summary.json").read_text())
    assert summary["decay_steps"] == {"optimizer.learning_rate.config.decay_steps": 80}
    settings = ["--set", "algorithm.name=halp", "--seed", "0", "--run-dir", str(alone), *schedule]
    settings += ["--set", "train.epochs=4"]
    assert train.main(["--config", str(config), *settings]) == train.FINISHED
    assert numbers(folder / "runs" / "halp-seed0") == numbers(alone)
    before = moments(folder / "runs")
    capsys.readouterr()
    assert command.main(arguments) == command.FINISHED
    assert "every run is finished; there is nothing left to train" in capsys.readouterr().out
    assert moments(folder / "runs") == before


def numbers(run):
    with open(run / "metrics.csv", newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_what_only_tensorflow_knows_is_said_before_anything_is_trained(config, tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = ["--config", str(config), "--run-dir", str(folder), "--algorithms", "halp,sgd"]
    assert command.main([*arguments, "--set", "sgd.optimizer.momentun=0.9"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: sgd: --set optimizer.momentun: SGD has no such argument")
    assert not (folder / "runs").exists() and not (folder / "compare.yaml").exists()


def test_wrong_input_is_one_message(config, tmp_path, capsys):
    assert command.main(["--config", str(tmp_path / "no.yaml")]) == command.WRONG_INPUT
    assert capsys.readouterr().err == f"error: {tmp_path / 'no.yaml'}: no such config file\n"
    assert command.main(["--config", str(config), "--jobs", "0"]) == command.WRONG_INPUT
    assert capsys.readouterr().err == "error: --jobs 0: expected 1 or more\n"


def test_a_folder_that_cannot_be(config, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    arguments = ["--config", str(config), "--run-dir", os.fspath(tmp_path / "file" / "out")]
    assert command.main(arguments) == command.WRONG_INPUT
    assert "cannot be created: Not a directory" in capsys.readouterr().err
