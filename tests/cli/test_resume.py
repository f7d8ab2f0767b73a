"""A run that was ended at any moment and resumed is the run that was never ended, bit for bit."""

import csv
import errno
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest

from tq_halp import train
from tq_halp.running import checkpoint_file
from tq_halp.running.checkpoints import files

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

REGRESSION = {
    "data": {"name": "linear_regression", "samples": 50, "features": 4},
    "model": {"name": "linear", "dtype": "float64"},
    "algorithm": {"name": "sgd", "iterate": "random", "snapshot_every": 5},
    "optimizer": {"learning_rate": 0.05, "momentum": 0.5},
    "train": {"epochs": 3, "batch_size": 8, "checkpoint_every_steps": 3},
}
# Dropout, an optimizer with two slots, quantized ones, stochastic rounding that changes with the
# epoch, a learning-rate schedule.
LSTM = {
    "data": {
        "name": "python_docs",
        "limit": 400,
        "validation_limit": 100,
        "sequence_length": 5,
        "vocabulary_size": 50,
    },
    "model": {"name": "lstm_language_model", "embedding": 4, "units": 4, "dropout": 0.3},
    "quantization": {
        "version": 1,
        "formats": {
            "w": {
                "format": "fixed_point",
                "word_bits": 8,
                "frac_bits": 6,
                "rounding": "stochastic",
            }
        },
        "rules": [
            {
                "layers": "logits|embedding",
                "weights": "w",
                "momentum": "bfloat16",
                "schedule": [{"epoch": 1, "weights": "float16"}],
            }
        ],
    },
    "algorithm": {"name": "halp", "iterate": "random", "snapshot_every": 13},
    "optimizer": {
        "name": "Adam",
        "learning_rate": {
            "class_name": "CosineDecay",
            "config": {"initial_learning_rate": 0.02, "decay_steps": 40},
        },
    },
    "train": {"epochs": 3, "batch_size": 8, "checkpoint_every_steps": 4},
}


def run(config, folder, *more):
    """The exit status of the train command."""
    path = folder.parent / f"{folder.name}.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML.
    return train.main(["--config", str(path), "--run-dir", str(folder), *more])


def outcome(folder):
    """All that two runs are compared by."""
    with open(folder / "metrics.csv", newline="") as file:
        rows = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    contents, arrays = checkpoint_file.read(files(folder / "checkpoints")[-1])
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return {
        "rows": rows,
        "host state": contents["host_state"],
        "variables": [array.tobytes() for array in arrays],
        "weights": weights_in(folder / "model.keras"),
        "files": names,
    }


def weights_in(path):
    """Without their names: Keras numbers some, and goes on with the numbers within a process."""
    found = []
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    file.visititems(
        lambda name, item: found.append(item[()].tobytes()) if hasattr(item, "dtype") else None
    )
    return sorted(found)


class Moments:
    """What a kill would leave, at every moment that can be told from the one before.

    That is before and after each file gets its name; before, it may be half written.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.copies, self._replace = folder, [], os.replace
        monkeypatch.setattr(os, "replace", self.replace)

    def replace(self, source, target):
        is_ours = self.folder in pathlib.Path(target).parents
        if is_ours:
            half = self._copy() / pathlib.Path(source).relative_to(self.folder)
            os.truncate(half, half.stat().st_size // 2)
        self._replace(source, target)
        if is_ours:
            self._copy()

    def _copy(self):
        copy = self.folder.with_name(f"{self.folder.name}-at-{len(self.copies)}")
        shutil.copytree(self.folder, copy)
        self.copies.append(copy)
        return copy

    def resumable(self):
        """Those that hold a checkpoint, the last one not: there the run is finished."""
        return [copy for copy in self.copies[:-1] if files(copy / "checkpoints")]


def unbroken(config, folder, monkeypatch):
    with monkeypatch.context() as patch:
        moments = Moments(folder, patch)
        assert run(config, folder) == train.FINISHED
    return outcome(folder), moments.resumable()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The config, the outcome and the moments of a run of SGD."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        return REGRESSION, *unbroken(REGRESSION, folder, patch)


@pytest.fixture
def started(plain, tmp_path):
    """A run that was killed in its third epoch."""
    _, _, moments = plain
    killed = next(m for m in moments if "0018" in files(m / "checkpoints")[-1].name)
    return pathlib.Path(shutil.copytree(killed, tmp_path / "run"))


# ---- at any moment -------------------------------------------------------------------------------


def test_sgd_resumed_at_any_moment(plain):
    config, expected, moments = plain
    # 7 steps an epoch, a checkpoint every 3: a row, curves and more are written as well.
    assert len(moments) > 25
    for copy in (moments[0], moments[len(moments) // 2], moments[-3]):
        assert run(config, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected


@pytest.mark.parametrize("name", ["lp_sgd", "svrg", "lp_svrg", "halp"])
def test_resumed_at_any_moment(tmp_path, monkeypatch, name):
    config = REGRESSION | {"algorithm": REGRESSION["algorithm"] | {"name": name}}
    expected, moments = unbroken(config, tmp_path / "run", monkeypatch)
    for copy in (moments[8], moments[len(moments) // 2 + 1]):
        assert run(config, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected


def test_everything_that_has_a_state_is_resumed(tmp_path, monkeypatch):
    expected, moments = unbroken(LSTM, tmp_path / "run", monkeypatch)
    copy = moments[len(moments) // 2]
    assert run(LSTM, copy, "--resume") == train.FINISHED
    assert outcome(copy) == expected


def test_every_number_that_training_changes_is_in_the_checkpoint():
    """Variables apart: attributes that `fit` changes, but for those that it changes anyway."""
    import keras

    import tq_halp

    def numbers(model):
        kinds = (bool, int, float, str, type(None))
        return {name: value for name, value in vars(model).items() if isinstance(value, kinds)}

    def changed_by_fit(model):
        changed, before = set(), numbers(model)

        class Look(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                for name, value in numbers(self.model).items():
                    if value != before.get(name, getattr(type(model), name, ...)):
                        changed.add(name)

        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        model.fit(x, x[:, :1], batch_size=2, epochs=4, verbose=0, callbacks=[Look()])
        return changed

    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    trainer = tq_halp.HALP(keras.models.clone_model(model), snapshot_every=3, mu=1e6)
    others = {"_verbose", "_steps_per_epoch", "_parent_path"}  # arguments of fit, and Keras' own
    changed = changed_by_fit(trainer) - changed_by_fit(model) - others
    assert {"snapshot_due", "segment_length", "_saturated_segments"} <= changed
    assert changed <= set(trainer.host_state)


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
from tq_halp import train
from tq_halp.algorithms import SGD
SGD.before_step = lambda self: time.sleep(0.25)
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
    assert "going on after step 15" in captured.out
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
    assert "go on with --resume" in capsys.readouterr().err
    assert run(config, started, "--resume") == train.FINISHED
    assert run(config, started, "--resume") == train.WRONG_INPUT
    assert "is finished" in capsys.readouterr().err
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
        assert all(np.isfinite(array).all() for array in checkpoint_file.read(path)[1])
