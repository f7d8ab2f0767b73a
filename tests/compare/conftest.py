"""Comparisons whose runs are written by hand: what a run leaves, without the training."""

import csv
import functools
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

CONFIG = """\
data: {name: linear_regression, samples: 200, features: 4}
model: {name: linear, dtype: float64}
algorithm: {name: halp, mu: 3.0}
optimizer: {learning_rate: 0.1}
train: {epochs: 3, batch_size: 10}
"""


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "regression.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def leave():
    """Writes the folder of a run: (run, rows of metrics.csv, status, further summary)."""

    def write(run, rows, status="finished", **summary):
        (run.path / "checkpoints").mkdir(parents=True)
        (run.path / "config.yaml").write_text(run.config().to_yaml())
        data = {"name": "linear_regression", "requested": "linear_regression", "fallback": False}
        sizes = {"train_examples": 200, "validation_examples": 200}
        about = {"model": "linear", "dataset": data | sizes, "versions": {"keras": "3.15.1"}}
        text = json.dumps({"status": status, "error": None, **about, **summary})
        (run.path / "summary.json").write_text(text)
        with open(run.path / "metrics.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return write


@pytest.fixture(scope="session")
def comparison_in(config):
    """Makes the comparison that a command line asks for, in a folder."""
    from tq_halp.commands.compare import command

    def make(folder, *arguments):
        fixed = ["--config", str(config), "--run-dir", str(folder)]
        return command.comparison_of(command.parser().parse_args([*fixed, *arguments]))

    return make


@pytest.fixture
def comparison(comparison_in, tmp_path):
    """The same, in a folder of the test."""
    return functools.partial(comparison_in, tmp_path / "out")
