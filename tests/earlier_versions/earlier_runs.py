"""Configs, runs and a comparison whose files are kept, and how the commands carry them out."""

import csv
import json
import subprocess
import sys
import time
import zipfile

CONFIG = {
    "data": {"name": "linear_regression", "samples": 60, "features": 4, "noise": 0.1, "seed": 1},
    "model": {"name": "linear", "dtype": "float64"},
    "algorithm": {"name": "halp", "snapshot_every": 20, "iterate": "random"},
    "optimizer": {"name": "SGD", "learning_rate": 0.01, "momentum": 0.5},
    "train": {"epochs": 16, "batch_size": 4, "checkpoint_every_steps": 7},
    "seed": 3,
}
FADING = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.02, "decay_steps": 99}}
OWN = {
    "data": {"name": "arrays", "file": "mine.npz"},
    "model": {"name": "file", "file": "mine.keras"},
    "quantization": "mine_map.yaml",
    "algorithm": {"name": "lp_svrg", "word_bits": 12, "frac_bits": 9, "snapshot_every": 9},
    "optimizer": {"name": "Adam", "learning_rate": FADING},
    "train": {"epochs": 16, "batch_size": 4, "checkpoint_every_steps": 5},
    "seed": 2,
}
#: By the name of its config's file.
RUNS = {"regression": CONFIG, "own": OWN}
COMPARED = {**CONFIG, "train": {"epochs": 3, "batch_size": 8}}
COMPARISON = (
    *("--config", "compared.yaml", "--run-dir", "comparison", "--jobs", "1", "--seeds", "0,1"),
    *("--algorithms", "halp,grid=lp_sgd,sgd", "--set", "grid.algorithm.frac_bits=5"),
    *("--tune", "sgd.optimizer.learning_rate=0.01,0.02"),
)


def command(name, *arguments, folder):
    """Carries out `python -m tq_halp.NAME` in a folder; what it said."""
    line = [sys.executable, "-m", f"tq_halp.{name}", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(name, run, *more):
    """The arguments of the train command for one of RUNS."""
    return ["--config", f"{name}.yaml", "--run-dir", run, *more]


def stop_in_the_middle(name, run, folder):
    """Begins a run and stops it after some epochs, as Ctrl-C does."""
    line = [sys.executable, "-m", "tq_halp.train", *train(name, run)]
    process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL)
    while process.poll() is None and len(rows(folder / run)) < 4:
        time.sleep(0.01)
    process.terminate()
    process.wait()
    assert json.loads((folder / run / "summary.json").read_text())["status"] == "interrupted"


def rows(run):
    """Those of metrics.csv, but for the seconds."""
    if not (run / "metrics.csv").exists():
        return []
    with open(run / "metrics.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def pack(folder, path, leave_out=(".png", ".html")):
    """A folder as a zip, without pictures, and the same bytes for the same files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix not in leave_out:
                name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)


def unpack(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
