"""Runs that are ended and resumed, and what two runs are compared by."""

import csv
import io
import json
import os
import pathlib
import shutil
import unittest.mock
import zipfile

import h5py

from tq_halp.commands import train
from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import files

REGRESSION = {
    "data": {"name": "linear_regression", "samples": 50, "features": 4},
    "model": {"name": "linear", "dtype": "float64"},
    "algorithm": {"name": "sgd"},
    "optimizer": {"learning_rate": 0.05, "momentum": 0.5},
    "train": {"epochs": 3, "batch_size": 8, "checkpoint_every_steps": 3},
}


def run(config, folder, *more):
    """The exit status of the train command; its pictures are files of a word.

    Drawing them takes 40 % of such a run: test_train_command.py and test_run_directory.py do.
    """
    path = folder.parent / f"{folder.name}.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML.
    with unittest.mock.patch("matplotlib.figure.Figure.savefig", _save_a_word):
        return train.main(["--config", str(path), "--run-dir", str(folder), *more])


def _save_a_word(figure, path, **kwargs):
    pathlib.Path(path).write_text("picture")


def outcome(folder):
    """All that two runs are compared by."""
    with open(folder / "metrics.csv", newline="") as file:
        rows = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    contents, arrays = checkpoint_format.read(files(folder / "checkpoints")[-1])
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
