"""Six models mapped to 8 bits everywhere, trained, saved, and trained on in another process.

    python -m experiments.any_model.run                        all of them: about five minutes
    python -m experiments.any_model.run --only MobileNetV2     one of them; the page stays as it is

A model is mapped (``W8A8G8E8``), trained 20 steps, saved, and trained 20 more. A process that
imports tq_halp, and the class of the one model whose class is a user's own, loads the file and
makes the same 20 steps. Every variable, the optimizer's too, and every prediction must have the
same bits; the source model, the classes of its layers and every public name of Keras must be what
they were. Writes ``results.csv`` and the table in ``README.md``.
"""

import argparse
import csv
import inspect
import json
import pathlib
import runpy
import subprocess
import sys
import tempfile
import time

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import tq_halp

if "--go-on" in sys.argv:
    assert "keras" not in sys.modules, "loading a model shall need nothing but tq_halp"

import keras
import numpy as np

from experiments.any_model import models
from experiments.markdown_sections import fill
from tq_halp.keras_internals.layers import flatten_layers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

FIXED = {"format": "fixed_point", "word_bits": 8, "rounding": "stochastic"}
FLOAT = {"format": "float8_e5m2", "rounding": "stochastic"}  # where values span powers of two
W8A8G8E8 = {
    "version": 1,
    "formats": {
        "weight": {**FIXED, "frac_bits": 6},
        "output": {**FIXED, "frac_bits": 4},
        "sum": {"format": "float8_e4m3fn", "rounding": "stochastic"},
        "backward": FLOAT,
        "probability": FLOAT,
    },
    "rules": [
        {
            "layers": ".*",
            "class": "Add",
            "optional": True,
            "activations": "sum",
            "errors": "backward",
        },
        {
            "layers": "predictions",
            **{"weights": "weight", "activations": "probability"},
            **{"gradients": "backward", "errors": "backward"},
        },
        {
            "layers": ".*",
            **{"weights": "weight", "activations": "output"},
            **{"gradients": "backward", "errors": "backward"},
        },
    ],
}
# Python puts them there when somebody asks for the annotations of a class, or when it warns.
PYTHONS_OWN = ("__annotations__", "__warningregistry__")
COLUMNS = {
    "model": "model",
    "layers": "quantized layers",
    "parameters": "parameters",
    "first_loss": "loss, steps 1-20",
    "last_loss": "loss, steps 21-40",
    "apply_seconds": "apply, s",
    "train_seconds": "20 steps, s",
    "save_seconds": "save, s",
    "load_seconds": "load, s",
    "loaded": "predictions when loaded",
    "continued": "40 steps, broken and unbroken",
    "source": "source model, classes, Keras",
}


def train(model):
    """The mean loss of the next 20 steps."""
    inputs, labels = models.data(model)
    return model.fit(inputs, labels, models.BATCH, shuffle=False, verbose=0).history["loss"][0]


def predictions(model):
    return model.predict(models.data(model)[0], models.BATCH, verbose=0)


def state(model):
    """All that training goes on from, and what the model predicts."""
    values = [*model.variables, *model.optimizer.variables]
    return [*(each.numpy() for each in values), predictions(model)]


def same(ours, theirs):
    """Whether two lists of arrays hold the same bits."""
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(ours, theirs, strict=True)
    )


def picture(model):
    """What the source model, its classes and every public name of Keras hold."""
    pending, seen = [keras, *(type(each) for each in flatten_layers(model))], {}
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen[value] = {n: id(each) for n, each in vars(value).items() if n not in PYTHONS_OWN}
        held = [*vars(value).values(), *getattr(value, "__mro__", ())]
        pending += [each for each in held if inspect.isclass(each) and of_keras(each.__module__)]
        pending += [each for each in held if inspect.ismodule(each) and of_keras(each.__name__)]
    layers = [(each.name, type(each), id(each)) for each in flatten_layers(model)]
    return seen, layers, [each.numpy().tobytes() for each in model.variables]


def of_keras(module):
    return module.split(".")[0] == "keras"


class Stopwatch(dict):
    """Seconds, by the name of what was called."""

    def time(self, name, call, *args):
        start = time.perf_counter()
        result = call(*args)
        self[f"{name}_seconds"] = time.perf_counter() - start
        return result


def start(name, folder):
    """The row of a model as far as one process can fill it; leaves the files for the other."""
    keras.utils.set_random_seed(3)
    source = models.BUILDERS[name]()
    source.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    outputs, before = predictions(source), picture(source)
    watch = Stopwatch()
    quantization = tq_halp.QuantizationMap.from_dict(W8A8G8E8)
    model = watch.time("apply", quantization.apply, source)
    first = watch.time("train", train, model)
    watch.time("save", model.save, folder / f"{name}.keras")
    np.save(folder / f"{name}.saved.npy", predictions(model))
    last = train(model)
    np.savez(folder / f"{name}.unbroken.npz", *state(model))
    untouched = picture(source) == before and same([predictions(source)], [outputs])
    return {
        "model": name,
        "layers": sum(getattr(each, "is_quantizing", False) for each in flatten_layers(model)),
        "parameters": source.count_params(),
        "first_loss": first,
        "last_loss": last,
        **watch,
        "source": "untouched" if untouched else "CHANGED",
    }


def go_on(folder, names):
    """In the other process: prints what it finds for each model, a line of JSON each."""
    for name in names:
        watch = Stopwatch()
        model = watch.time("load", keras.models.load_model, folder / f"{name}.keras")
        loaded = same([predictions(model)], [np.load(folder / f"{name}.saved.npy")])
        train(model)
        with np.load(folder / f"{name}.unbroken.npz") as file:
            continued = same(state(model), list(file.values()))
        verdicts = {True: "same bits", False: "DIFFERENT"}
        found = {"loaded": verdicts[loaded], "continued": verdicts[continued], **watch}
        print(json.dumps({"model": name, **found}), flush=True)


def measure(names, folder):
    rows = {name: start(name, folder) for name in names}
    command = [sys.executable, "-m", "experiments.any_model.run", "--go-on", str(folder), *names]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        rows[found["model"]] |= found
    return [{key: row[key] for key in COLUMNS} for row in rows.values()]


def table(rows):
    lines = [f"| {' | '.join(COLUMNS.values())} |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        shown = [f"{each:.2f}" if isinstance(each, float) else f"{each}" for each in row.values()]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=models.BUILDERS, help="default: all of them")
    parser.add_argument("--go-on", nargs="+", metavar=("FOLDER", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.go_on:
        folder, *names = options.go_on
        return go_on(pathlib.Path(folder), names)
    with tempfile.TemporaryDirectory() as folder:
        names = [options.only] if options.only else models.BUILDERS
        rows = measure(names, pathlib.Path(folder))
    print(table(rows))
    if not options.only:
        with open(HERE / "results.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        fill(HERE / "README.md", "any_model", table(rows))
    return None


if __name__ == "__main__":
    main()
