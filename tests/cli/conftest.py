"""Configs that the tests of the train command share; modules beside them can be imported."""

import csv
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Small enough to train in about a second once TensorFlow has started.
CONFIG = """\
data: {name: python_docs, limit: 600, validation_limit: 200, sequence_length: 10,
       vocabulary_size: 100}
model: {name: lstm_language_model, embedding: 4, units: 4}
quantization: map.yaml
algorithm: {name: halp}
optimizer: {name: sgd, learning_rate: 0.5}
train: {epochs: 2, batch_size: 8}
seed: 3
"""
MAP = """\
version: 1
rules:
  - {layers: logits, weights: {format: fixed_point, word_bits: 8, frac_bits: 6}}
"""
REGRESSION = """\
data: {name: linear_regression, samples: 50, features: 4}
model: {name: linear, dtype: float64}
algorithm: {name: sgd}
optimizer: {learning_rate: 0.1}
train: {epochs: 2, batch_size: 10}
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("train")
    (path / "run.yaml").write_text(CONFIG)
    (path / "map.yaml").write_text(MAP)
    (path / "regression.yaml").write_text(REGRESSION)
    return path


@pytest.fixture(scope="session")
def rows_of():
    """Reads metrics.csv of a run directory."""

    def read(run):
        with open(run / "metrics.csv", newline="") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The config, the outcome and the moments of a run of SGD, all tests of resuming's."""
    from resuming import REGRESSION as RESUMED, unbroken

    folder = tmp_path_factory.mktemp("plain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        return RESUMED, *unbroken(RESUMED, folder, patch)
