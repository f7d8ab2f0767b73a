"""Writes files of every kind that this version writes, for later versions to read.

    python tests/earlier_versions/make_fixtures.py FOLDER

What is installed, or first in PYTHONPATH, writes them: models in the middle of their training,
weights, exports, runs that were stopped, a comparison, configs and maps; beside each is what this
version makes of it afterwards. `tests/earlier_versions/v0_1` is what version 0.1.0 wrote, and
`test_earlier_versions.py` reads it with the code as it is now. Those files stay as they are. A
later version whose files are to be kept as well gets a folder of its own; the modules beside this
one say what is in them, and go on describing the older files, so they only grow.

Takes some minutes.
"""

import json
import shutil
import sys
from pathlib import Path

import earlier_models
import earlier_runs
import every_key
import keras
import numpy as np
import tensorflow as tf

import tq_halp
from tq_halp import config as configs
from tq_halp.quantizers import Quantizer

ROOT = Path(__file__).resolve().parent.parent.parent


def write_model(name, folder):
    """A model after an epoch, and what comes of it afterwards."""
    model = earlier_models.built(name)
    x, y = earlier_models.examples(model)
    earlier_models.fit(model, x, y)
    model.save(folder / f"{name}.keras")
    found = {"x": x, "y": y, **earlier_models.now(model)}
    np.savez_compressed(folder / f"{name}.npz", **found, **earlier_models.further(model, x, y))


def write_weights(folder):
    """The same two models' weights alone, in every other kind of file."""
    for name in ("halp", "mixed"):
        model = earlier_models.built(name)
        earlier_models.fit(model, *earlier_models.examples(model))
        model.save_weights(folder / f"{name}.weights.h5")
        if name == "halp":
            tf.train.Checkpoint(trainer=model).write(folder / "halp.checkpoint")
        else:
            tq_halp.export(model, folder / "mixed.export.npz")
            numbers = {
                k: v.numbers for k, v in tq_halp.load_export(folder / "mixed.export.npz").items()
            }
            np.savez_compressed(folder / "mixed.numbers.npz", **numbers)


def write_quantizers(path):
    """What each makes of the same numbers, in the order of `every_key.QUANTIZERS`."""
    x = np.random.default_rng(4).normal(0, 2, size=32).astype("float32")
    made = [Quantizer.from_config(each)(x, counter=7) for each in every_key.QUANTIZERS]
    np.savez_compressed(path, x=x, made=np.stack(made))


def write_configs(folder):
    """The configs and maps of this version, and ones with every key; what they stand for."""
    shutil.copytree(ROOT / "configs", folder, dirs_exist_ok=True)
    for name, config in every_key.configs():
        (folder / f"{name}.yaml").write_text(json.dumps(config, indent=1) + "\n")  # JSON is YAML.
    (folder / "maps" / "every_key.yaml").write_text(json.dumps(every_key.MAP, indent=1) + "\n")
    for name in ("mine.keras", "mine.npz"):  # They are looked for, and not read.
        (folder / name).touch()
    resolved = {path.name: configs.load(path).model_dump() for path in folder.glob("*.yaml")}
    text = json.dumps(resolved, indent=1, sort_keys=True).replace(f"{folder.resolve()}/", "")
    (folder / "resolved.json").write_text(text + "\n")
    for path in (folder / "maps").glob("*.yaml"):
        keras.utils.set_random_seed(5)
        np.savez_compressed(path.with_suffix(".npz"), **earlier_models.by_map(path))


def write_runs(folder):
    """Runs that were stopped, and the same that never were; a comparison."""
    for name, config in [*earlier_runs.RUNS.items(), ("compared", earlier_runs.COMPARED)]:
        (folder / f"{name}.yaml").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "mine_map.yaml").write_text(json.dumps(earlier_models.SCHEDULED) + "\n")
    keras.utils.set_random_seed(2)
    model = earlier_models.network()
    model.compile(loss="mse")
    model.save(folder / "mine.keras")
    x, y = earlier_models.examples(model)
    parts = {"x_train": x, "y_train": y, "x_validation": x[:9], "y_validation": y[:9]}
    np.savez(folder / "mine.npz", **parts)
    for name in earlier_runs.RUNS:
        earlier_runs.stop_in_the_middle(name, f"{name}-stopped", folder)
        earlier_runs.command("train", *earlier_runs.train(name, f"{name}-whole"), folder=folder)
    earlier_runs.command("compare", *earlier_runs.COMPARISON, folder=folder)
    for path in [path for path in folder.iterdir() if path.is_dir()]:
        _forget_place(path, folder.resolve())
        earlier_runs.pack(path, folder / f"{path.name}.zip")
        shutil.rmtree(path)


def _forget_place(run, folder):
    """Takes the name of the folder out of the texts of a run."""
    for path in run.rglob("*"):
        if path.suffix in (".yaml", ".json", ".log", ".md"):
            path.write_text(path.read_text().replace(f"{folder}/", ""))


def main(folder):
    """Writes everything."""
    for part in ("models", "weights", "configs", "commands"):
        (folder / part).mkdir(parents=True)
    np.savez_compressed(folder / "probe.npz", **earlier_models.probe())
    for name in earlier_models.BUILDERS:
        write_model(name, folder / "models")
    write_weights(folder / "weights")
    write_quantizers(folder / "quantizers.npz")
    write_configs(folder / "configs")
    write_runs(folder / "commands")
    print(f"tq_halp {tq_halp.__version__}: {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
