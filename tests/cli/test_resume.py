"""A run that was ended at any moment and resumed is the run that was never ended, bit for bit."""

import csv
import json
import os
import pathlib
import shutil
import zipfile

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
        "formats": {"w": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}},
        "rules": [
            {
                "layers": "logits|embedding",
                "weights": {**{"format": "fixed_point", "word_bits": 8, "frac_bits": 6}}
                | {"rounding": "stochastic"},
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
    with zipfile.ZipFile(folder / "model.keras") as archive:
        weights = archive.read("model.weights.h5")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return rows, contents["host_state"], [a.tobytes() for a in arrays], weights, names


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
def regression(tmp_path_factory):
    """Outcome of the plain run and the moments at which it could have been killed."""
    folder = tmp_path_factory.mktemp("regression") / "run"
    with pytest.MonkeyPatch.context() as patch:
        return unbroken(REGRESSION, folder, patch)


@pytest.mark.parametrize("name", ["sgd", "lp_sgd", "svrg", "lp_svrg", "halp"])
def test_resumed_at_any_moment(tmp_path, monkeypatch, name):
    config = REGRESSION | {"algorithm": REGRESSION["algorithm"] | {"name": name}}
    expected, moments = unbroken(config, tmp_path / "run", monkeypatch)
    # 7 steps an epoch, a checkpoint every 3: a row, curves and more are written as well.
    assert len(moments) > 25
    for copy in (moments[8], moments[len(moments) // 2 + 1], moments[-1]):
        assert run(config, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected
