"""The bits of training, to be compared between two versions of this project.

    python experiments/same_bits/run.py --output bits.csv                      about eight minutes
    python experiments/same_bits/run.py --output new.csv --compare bits.csv    which rows differ?

Every algorithm trains three small models of ``models.py`` for 60 steps from two seeds, and with the
first one also from the file that ``save`` wrote after 30. A row has checksums of the weights, of
predictions, and of all that the logs have said until then. Only public names are used, so that the
same script runs on any version. It is started by its path and imports no other experiment: else it
would import the tq_halp beside it. Repeated, it goes on where it was stopped: take another file for
another version.
"""

import argparse
import csv
import hashlib
import pathlib
import sys
import tempfile
import time
import warnings

import keras
import numpy as np
import tensorflow as tf
from models import BATCH, BATCHES, BUILDERS

import tq_halp

SEEDS = (0, 1)
EPOCHS = 5  # of 12 steps
SAVED_AFTER = 30  # amid an epoch
# After which steps; "resumed" with the first seed only, for it takes as long as "unbroken".
RECORDED = {"unbroken": (1, 7, 60), "resumed": (31, 37, 60)}
GRID = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}
ON_GRID = ("LowPrecisionSGD", "LowPrecisionSVRG", "SWALP")
ALGORITHMS = (
    ("SGD", {}),
    ("LowPrecisionSGD", {}),
    ("SWALP", {"average_after": 5, "average_every": 3}),
    ("SVRG", {"variance_ratio": False}),
    ("SVRG", {"coefficient": "estimated", "iterate": "random", "snapshot_every": 7}),
    ("LowPrecisionSVRG", {"variance_ratio": False}),
    ("LowPrecisionSVRG", {"start_after": 9, "snapshot_every": 7, "draws": "fresh"}),
    ("HALP", {}),
    ("HALP", {"scale": "per_channel", "iterate": "random", "variance_ratio": False}),
    ("HALP", {"mu": 10.0, "scale": "global", "snapshot_every": 0.2}),
    ("HALP", {"format": "float8_e4m3fn", "snapshot_fraction": 0.5, "snapshot_every": 7}),
    ("BitCenteredSGD", {"snapshot_every": 7}),
)
# Models that take long are not trained with these options.
LEFT_OUT = {
    "dense": set(),
    "lstm": {"start_after", "mu", "format"},
    "resnet": {"coefficient", "start_after", "mu", "format"},
}
KEYS = ("algorithm", "options", "model", "seed", "steps", "run")
CHECKSUMS = ("weights", "predictions", "logs")


def checksum(arrays):
    """SHA-256 of types, shapes and bytes, in the order given."""
    digest = hashlib.sha256()
    for array in map(np.asarray, arrays):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def weights_of(algorithm):
    """What the model inside has learned, statistics of BatchNormalization included, by path."""
    statistics = ("moving_mean", "moving_variance")
    others = [each for each in algorithm.non_trainable_variables if each.name in statistics]
    ordered = sorted([*algorithm.trainable_variables, *others], key=lambda each: each.path)
    return [each.numpy() for each in ordered]


class Recorder(keras.callbacks.Callback):
    """Takes checksums after some steps, and saves the algorithm after one of them.

    Args:
        inputs: what is predicted.
        wanted: the steps after which checksums are taken.
        begun: steps that were made before.
        file: where the algorithm is saved to after ``SAVED_AFTER`` steps, if anywhere.
    """

    def __init__(self, inputs, wanted, begun=0, file=None):
        super().__init__()
        self.inputs, self.wanted, self.steps, self.file = inputs, wanted, begun, file
        self.said, self.found = [], {}

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self._listen(logs)
        if self.steps in self.wanted:
            self._record()
        if self.file and self.steps == SAVED_AFTER:
            self.model.save(self.file)

    def on_epoch_end(self, epoch, logs=None):
        self._listen(logs)
        if self.steps == max(self.wanted):
            self._record()  # anew, with what the epoch's logs say

    def _listen(self, logs):
        self.said += [f"{name} {float(value)!r}" for name, value in sorted(logs.items())]

    def _record(self):
        weights = weights_of(self.model)
        predictions = self.model.predict_on_batch(self.inputs)
        if not all(np.isfinite(each).all() for each in (*weights, predictions)):
            raise ArithmeticError("a training that diverges shows nothing: lower its learning rate")
        self.found[self.steps] = {
            "weights": checksum(weights),
            "predictions": checksum([predictions]),
            "logs": checksum([self.said]),
        }


def forget(seed, dtype):
    """Makes a run independent of those before it in this process."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def train(algorithm, data, recorder, epochs, seed):
    """Checksums by the number of steps."""
    keras.utils.set_random_seed(seed)
    algorithm.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[recorder])
    return recorder.found


def unbroken(name, options, model_name, seed, file):
    """Checksums of a run by the number of steps; amid it, it is saved to ``file``, if to any."""
    builder = BUILDERS[model_name]
    forget(seed, builder.dtype)
    model, compilation, data = builder.make(seed)
    grid = {"format": GRID} if name in ON_GRID else {}
    algorithm = getattr(tq_halp, name)(model, seed=seed, name="algorithm", **grid, **options)
    algorithm.compile(**compilation)
    recorder = Recorder(data[0], RECORDED["unbroken"], file=file)
    return train(algorithm, data, recorder, EPOCHS, seed)


def resumed(model_name, seed, file):
    """Checksums of the rest of a run by the number of steps."""
    builder = BUILDERS[model_name]
    forget(seed, builder.dtype)
    data = builder.make(seed)[-1]
    forget(seed, builder.dtype)
    recorder = Recorder(data[0], RECORDED["resumed"], begun=SAVED_AFTER)
    loaded = keras.models.load_model(file)
    return train(loaded, data, recorder, EPOCHS - SAVED_AFTER // BATCHES, seed)


def trained(name, options, model_name, seed):
    """Checksums of the runs with these options, each by the number of steps."""
    if seed != SEEDS[0]:
        return {"unbroken": unbroken(name, options, model_name, seed, None)}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "saved.keras"
        return {
            "unbroken": unbroken(name, options, model_name, seed, file),
            "resumed": resumed(model_name, seed, file),
        }


def keys_of(name, options, model_name, seed):
    """The keys of the rows that one training gives."""
    words = " ".join(f"{key}={value}" for key, value in options.items()) or "default"
    return [
        (name, words, model_name, str(seed), str(steps), run)
        for run, recorded in RECORDED.items()
        if run == "unbroken" or seed == SEEDS[0]
        for steps in recorded
    ]


def read(path):
    """{keys: checksums} of a file; nothing where there is none."""
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {tuple(row[key] for key in KEYS): [row[key] for key in CHECKSUMS] for row in rows}


def write(path, rows):
    """All rows anew, under another name first, so that a stop leaves whole rows."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*KEYS, *CHECKSUMS))
        writer.writerows((*keys, *checksums) for keys, checksums in rows.items())
    partial.replace(path)


def record(selected, path):
    """The rows of the selected trainings, those of the file among them; the others are added."""
    rows = read(path)
    for number, training in enumerate(selected, start=1):
        keys = keys_of(*training)
        if all(each in rows for each in keys):
            continue
        start = time.perf_counter()
        found = trained(*training)
        for key in keys:
            checksums = found[key[-1]][int(key[-2])]
            rows[key] = [checksums[name] for name in CHECKSUMS]
        write(path, rows)
        seconds = time.perf_counter() - start
        print(f"{number}/{len(selected)} {' '.join(keys[0][:4])}: {seconds:.1f} s", flush=True)
    return rows


def differences(keys, ours, theirs):
    """A line for each row that is missing in one of the two or differs."""
    for key in keys:
        if key not in theirs:
            yield f"{', '.join(key)}: not in the file to compare with"
            continue
        pairs = zip(CHECKSUMS, ours[key], theirs[key], strict=True)
        different = [name for name, mine, other in pairs if mine != other]
        if different:
            yield f"{', '.join(key)}: other {', '.join(different)}"


def compare(selected, ours, path):
    """Prints which rows differ from those of a file; the exit status."""
    keys = [key for training in selected for key in keys_of(*training)]
    lines = list(differences(keys, ours, read(path)))
    print("\n".join([*lines, f"{len(lines)} of {len(keys)} rows differ"]))
    return 1 if lines else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True, help="CSV file of the rows")
    parser.add_argument("--compare", type=pathlib.Path, metavar="FILE", help="of another version")
    names = sorted({name for name, _ in ALGORITHMS})
    parser.add_argument("--algorithms", nargs="+", choices=names, default=names, metavar="CLASS")
    parser.add_argument("--models", nargs="+", choices=BUILDERS, default=list(BUILDERS))
    options = parser.parse_args()
    if options.compare and not options.compare.exists():
        parser.error(f"--compare: there is no {options.compare}")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    warnings.simplefilter("ignore")
    tf.get_logger().setLevel("ERROR")
    print(f"tq_halp in {pathlib.Path(tq_halp.__file__).parent}", flush=True)
    selected = [
        (name, settings, model, seed)
        for seed in SEEDS
        for model in options.models
        for name, settings in ALGORITHMS
        if name in options.algorithms and not settings.keys() & LEFT_OUT[model]
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    rows = record(selected, options.output)
    return compare(selected, rows, options.compare) if options.compare else 0


if __name__ == "__main__":
    sys.exit(main())
