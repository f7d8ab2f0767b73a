"""Killed, damaged, of another run, out of space: what is resumed, what is not, and what is said."""

import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from resuming import REGRESSION, outcome, run

from tq_halp.commands import train
from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import files
from tq_halp.commands.running.run_directory import alone

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def started(plain, tmp_path):
    """A run that was killed in its third epoch."""
    _, _, moments = plain
    killed = next(m for m in moments if "0018" in files(m / "checkpoints")[-1].name)
    return pathlib.Path(shutil.copytree(killed, tmp_path / "run"))


# ---- by a signal ---------------------------------------------------------------------------------


def test_killed_process(plain, tmp_path):
    """By the signal that cannot be caught, at no moment in particular."""
    config, expected, _ = plain
    folder = tmp_path / "run"
    (tmp_path / "run.yaml").write_text(json.dumps(config))
    command = ["-c", SLOWLY, "--config", tmp_path / "run.yaml", "--run-dir", folder]
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    while process.poll() is None and len(files(folder / "checkpoints")) < 3:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert run(config, folder, "--resume") == train.FINISHED
    assert outcome(folder) == expected


# The train command, its steps a quarter of a second each.
SLOWLY = """
import sys, time
from tq_halp.commands import train
from tq_halp.algorithms.training_loop import TrainingLoop
TrainingLoop.before_step = lambda self: time.sleep(0.25)
sys.exit(train.main(sys.argv[1:]))
"""


# ---- what cannot be resumed ----------------------------------------------------------------------


def test_damaged_checkpoint_is_said_and_the_one_before_used(plain, started, capsys):
    config, expected, _ = plain
    newest = files(started / "checkpoints")[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert run(config, started, "--resume") == train.FINISHED
    captured = capsys.readouterr()
    warnings = [line for line in captured.err.splitlines() if "warning: checkpoint" in line]
    assert len(warnings) == 1 and f"{newest.name} is damaged" in warnings[0]
    assert "continuing after step 15" in captured.out
    assert outcome(started) == expected


def test_checkpoints_of_another_config_are_not_used(plain, started, capsys):
    config, _, _ = plain
    before = outcome_of_files(started)
    assert run(config, started, "--resume", "--set", "optimizer.momentum=0.9") == train.WRONG_INPUT
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert "is of another run: optimizer.momentum 0.5, here 0.9" in errors[0]
    assert outcome_of_files(started) == before


def outcome_of_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_neither_a_finished_run_nor_another_beginning_touches_what_is_there(plain, started, capsys):
    config, expected, _ = plain
    assert run(config, started) == train.WRONG_INPUT
    assert "continue it with --resume" in capsys.readouterr().err
    assert run(config, started, "--resume") == train.FINISHED
    before = outcome_of_files(started)
    assert run(config, started, "--resume") == train.FINISHED
    assert "is finished; there is nothing left to do" in capsys.readouterr().out
    assert run(config, started, "--resume", "--set", "optimizer.momentum=0.9") == train.WRONG_INPUT
    assert "holds another run: optimizer.momentum 0.5, here 0.9" in capsys.readouterr().err
    assert outcome_of_files(started) == before
    assert outcome(started) == expected


# ---- what fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 4, 9])
def test_full_disk_fails_with_one_message_and_loses_nothing(
    plain, started, monkeypatch, capsys, first
):
    """From the n-th write on there is no space left, at the end neither."""
    config, expected, _ = plain
    fsync, count = os.fsync, 0

    def full(descriptor):
        nonlocal count
        count += 1
        if count >= first:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert run(config, started, "--resume") == train.FAILED
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and "No space left on device" in errors[0]
    assert run(config, started, "--resume") == train.FINISHED
    assert outcome(started) == expected


def test_weights_that_are_no_numbers_push_no_checkpoint_out(tmp_path, capsys):
    config = REGRESSION | {"optimizer": {"learning_rate": 1e30}}
    assert run(config, tmp_path / "run") == train.FAILED
    assert "the training loss became" in capsys.readouterr().err
    found = files(tmp_path / "run" / "checkpoints")
    assert found
    for path in found:
        assert all(np.isfinite(array).all() for array in checkpoint_format.read(path)[1])


def test_a_folder_that_another_process_holds(tmp_path, capsys):
    """Nothing is said to begin that does not."""
    with alone(tmp_path / "run"):
        assert run(REGRESSION, tmp_path / "run", "--resume") == train.WRONG_INPUT
    captured = capsys.readouterr()
    assert captured.out == "" and "another process is training there" in captured.err
    assert not any((tmp_path / "run").iterdir())
