"""The runs that are killed: small, and together with everything that has a state."""

import csv
import io
import itertools
import json
import pathlib
import re
import zipfile

import h5py
import numpy as np

from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import files
from tq_halp.config.sections import KEYS

REGRESSION = {
    "data": {"name": "linear_regression", "samples": 300, "features": 20},
    "model": {"name": "linear", "dtype": "float64"},
    "algorithm": {"mu": "auto", "iterate": "random", "snapshot_every": 40, "frac_bits": 5},
    "optimizer": {"name": "SGD", "learning_rate": 0.02, "momentum": 0.5},
    "train": {"epochs": 4, "batch_size": 4, "checkpoint_every_steps": 10},
    "seed": 1,
}
MAP = {
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
            "layers": ".*",
            "weights": "w",
            "momentum": "float16",
            "optional": True,
            "schedule": [{"epoch": 1, "weights": "bfloat16"}],
        }
    ],
}
LSTM = {
    "data": {
        "name": "python_docs",
        "limit": 4000,
        "validation_limit": 500,
        "sequence_length": 10,
        "vocabulary_size": 100,
    },
    "model": {"name": "lstm_language_model", "embedding": 8, "units": 8, "dropout": 0.2},
    "quantization": MAP,
    "algorithm": {"mu": "auto", "iterate": "last", "frac_bits": 6},
    "optimizer": {
        "name": "Adam",
        "learning_rate": {
            "class_name": "CosineDecay",
            "config": {"initial_learning_rate": 0.02, "decay_steps": 150},
        },
    },
    "train": {"epochs": 3, "batch_size": 8, "checkpoint_every_steps": 7},
    "seed": 2,
}
ALGORITHMS = ("halp", "lp_svrg", "svrg", "lp_sgd", "sgd")


def configs(folder):
    """Write a config file for every model and algorithm: {name: path}."""
    found = {}
    for (name, config), algorithm in itertools.product(
        {"regression": REGRESSION, "LSTM": LSTM}.items(), ALGORITHMS
    ):
        path = pathlib.Path(folder) / f"{name}-{algorithm}.yaml"
        own = {k: v for k, v in config["algorithm"].items() if k in KEYS["algorithm"][algorithm]}
        chosen = config | {"algorithm": {"name": algorithm, **own}}
        path.write_text(json.dumps(chosen), encoding="utf-8")  # JSON is YAML.
        found[f"{name}, {algorithm}"] = path
    return found


def outcome(folder):
    """All that a run's end is judged by: weights, every variable, rows but the seconds, files."""
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "seconds"}
    contents, arrays = checkpoint_format.read(files(folder / "checkpoints")[-1])
    return {
        **columns,
        "weights": _weights(folder / "model.keras"),
        "state": [_bytes(array) for array in arrays],
        "host state": contents["host_state"],
        # A stop writes a checkpoint of its own, which may be one of the last three.
        "files": sorted(
            re.sub("[0-9]{10}", "N", str(path.relative_to(folder))) for path in folder.rglob("*")
        ),
    }


def differing(ours, reference):
    """The parts of two outcomes that are not the same, bit for bit."""
    return [part for part in reference if ours[part] != reference[part]]


def _weights(path):
    found = {}
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = _bytes(item[()])

    file.visititems(note)
    return found


def _bytes(array):
    array = np.ascontiguousarray(array)
    return array.dtype.name, array.shape, array.tobytes()
