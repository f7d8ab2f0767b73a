"""`--resume` as the one command of a scheduler: begun, killed at any moment, finished, repeated."""

import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from resuming import REGRESSION, Moments, outcome, run

from tq_halp import config as configs
from tq_halp.commands import train
from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import files
from tq_halp.commands.running.run_directory import alone

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

OTHER = ("--set", "optimizer.momentum=0.9")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The outcome of a run that was begun by --resume, and what a kill would have left of it."""
    folder = tmp_path_factory.mktemp("repeated") / "run"
    with pytest.MonkeyPatch.context() as patch:
        moments = Moments(folder, patch)
        assert run(REGRESSION, folder, "--resume") == train.FINISHED
    return outcome(folder), moments.copies


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def times(folder):
    """When what is in a folder was written; something else while that changes."""
    try:
        return {path: path.stat().st_mtime_ns for path in folder.glob("*")}
    except FileNotFoundError:
        return None


def said(capsys):
    captured = capsys.readouterr()
    return captured.out, [line for line in captured.err.splitlines() if line.startswith("error")]


# ---- killed at any moment ------------------------------------------------------------------------


def test_it_begins_anew_where_there_is_nothing_to_go_on_with(story, tmp_path, capsys):
    """No folder, an empty one, and every moment before the first checkpoint."""
    expected, copies = story
    early = [copy for copy in copies if not files(copy / "checkpoints")]
    assert len(early) >= 6  # Before and after the summary, the config, the first row.
    (tmp_path / "empty").mkdir()
    (tmp_path / "made" / "checkpoints").mkdir(parents=True)
    for left in [tmp_path / "none", tmp_path / "empty", tmp_path / "made", *early]:
        copy = tmp_path / f"again-{left.name}"
        if left.exists():
            shutil.copytree(left, copy)
        assert run(REGRESSION, copy, "--resume") == train.FINISHED
        assert f"no run to continue in {copy}; a new one starts\n" in capsys.readouterr().out
        assert outcome(copy) == expected


def test_killed_once_every_step_was_done(story, tmp_path):
    """In the test at the end, and while each of the last files is written."""
    expected, copies = story
    steps = [int(files(c / "checkpoints")[-1].stem[5:]) for c in copies if files(c / "checkpoints")]
    late = copies[-steps.count(max(steps)) :]
    assert len(late) >= 5
    for left in late:
        copy = shutil.copytree(left, tmp_path / left.name)
        assert run(REGRESSION, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected


def test_a_scheduler_that_kills_and_repeats(story, tmp_path):
    """By the signal that cannot be caught, after times of no meaning, twice; then no more."""
    expected, _ = story
    folder, draw = tmp_path / "run", random.Random(0)
    (tmp_path / "run.yaml").write_text(json.dumps(REGRESSION))
    command = [sys.executable, "-m", "tq_halp.train", "--resume"]
    command += ["--config", str(tmp_path / "run.yaml"), "--run-dir", str(folder)]
    for _ in range(2):
        before = times(folder)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        while process.poll() is None and times(folder) == before:
            time.sleep(0.01)  # Until it writes; before that TensorFlow starts.
        time.sleep(draw.uniform(0, 1.5))
        process.kill()
        assert process.wait(timeout=120) in (-signal.SIGKILL, train.FINISHED)
    assert run(REGRESSION, folder, "--resume") == train.FINISHED  # Here it starts sooner.
    assert outcome(folder) == expected
    assert run(REGRESSION, folder, "--resume") == train.FINISHED


# ---- finished ------------------------------------------------------------------------------------


def test_a_finished_run_is_said_to_be_and_untouched(story, tmp_path, capsys):
    _, copies = story
    done = shutil.copytree(copies[-1], tmp_path / "done")
    before = content(done)
    for more in ([], ["--dry-run"]):
        assert run(REGRESSION, done, "--resume", *more) == train.FINISHED
        out, errors = said(capsys)
        assert out == f"the run in {done} is finished; there is nothing left to do\n" and not errors
    assert run(REGRESSION, done, "--resume", *OTHER) == train.WRONG_INPUT
    assert "holds another run: optimizer.momentum 0.5, here 0.9; name another" in said(capsys)[1][0]
    for path in files(done / "checkpoints"):  # To save space; config.yaml tells as well.
        before.pop(path)
        path.unlink()
    assert run(REGRESSION, done, "--resume") == train.FINISHED
    assert run(REGRESSION, done, "--resume", *OTHER) == train.WRONG_INPUT
    assert content(done) == before


# ---- another run's, or nobody's ------------------------------------------------------------------


def test_another_run_is_refused_however_far_it_is(story, tmp_path, capsys):
    _, copies = story
    started = next(c for c in copies if files(c / "checkpoints"))
    described = next(c for c in copies if (c / "config.yaml").exists())
    alone_there = tmp_path / "described"
    alone_there.mkdir()
    shutil.copy(described / "config.yaml", alone_there)
    for left in (started, described, alone_there):
        before = content(left)
        assert run(REGRESSION, left, "--resume", *OTHER) == train.WRONG_INPUT
        _, errors = said(capsys)
        assert len(errors) == 1 and "another run: optimizer.momentum 0.5, here 0.9" in errors[0]
        assert content(left) == before
    assert run(REGRESSION, alone_there, "--resume") == train.FINISHED


def test_a_folder_of_the_users_is_not_written_to(tmp_path, capsys):
    """A config that somebody keeps there is none that a run wrote."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.yaml").write_text(json.dumps(REGRESSION))
    assert run(REGRESSION, folder, "--resume") == train.WRONG_INPUT
    assert "is not empty and holds no run" in said(capsys)[1][0]
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_damaged_checkpoints_are_not_taken_for_none(story, tmp_path, capsys):
    """Somebody may mend them, so nothing is begun in their place."""
    _, copies = story
    started = next(c for c in copies if len(files(c / "checkpoints")) == 3)
    started = shutil.copytree(started, tmp_path / "damaged")
    for path in files(started / "checkpoints"):
        path.write_bytes(path.read_bytes()[:-1])
    before = content(started)
    assert run(REGRESSION, started, "--resume") == train.WRONG_INPUT
    _, errors = said(capsys)
    assert len(errors) == 1 and "no checkpoint can be used: " in errors[0]
    assert content(started) == before


def test_two_at_once(tmp_path, capsys):
    """Whoever comes second is told, and writes nothing; a lock is gone with who has it."""
    folder = tmp_path / "run"
    with alone(folder):
        assert run(REGRESSION, folder, "--resume") == train.WRONG_INPUT
        assert "another process is training there; wait" in said(capsys)[1][0]
        assert list(folder.iterdir()) == []
    assert run(REGRESSION, folder, "--resume") == train.FINISHED


# ---- of a former version -------------------------------------------------------------------------


def test_a_run_of_a_former_version_goes_on(story, tmp_path):
    """Its config and its checkpoints hold the keys of all algorithms."""
    expected, copies = story
    started = next(c for c in copies if len(files(c / "checkpoints")) == 3)
    copy = shutil.copytree(started, tmp_path / "old")
    extra = {"word_bits": 8, "mu": "auto", "format": None, "coefficient": 1.0, "draws": "locked"}
    for path in files(copy / "checkpoints"):
        contents, arrays = checkpoint_format.read(path)
        contents["identity"] |= {f"algorithm.{key}": value for key, value in extra.items()}
        contents["identity"] |= {"model.blocks": [1, 1, 1], "data.dir": None, "data.task": "cl"}
        checkpoint_format.write(path, contents, [lambda array=array: array for array in arrays])
    config = configs.load(copy / "config.yaml").model_dump()
    old = copy / "config.yaml"
    config["algorithm"] |= extra
    old.write_text(configs.WRITTEN_BY_RUN + json.dumps(config))
    command = ["--config", str(old), "--run-dir", str(copy), "--resume"]
    assert train.main(command) == train.FINISHED
    assert outcome(copy) == expected
