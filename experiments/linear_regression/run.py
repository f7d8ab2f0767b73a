"""The gradient norm of least squares under each algorithm, against the published behaviour.

    python -m experiments.linear_regression.run            all rows, three seeds: about 15 minutes
    python -m experiments.linear_regression.run --quick    one seed, five epochs, into runs/
    python -m experiments.linear_regression.run --redraw   table and figure from the CSV
    python -m experiments.linear_regression.run --only ROW ...  rows anew, the others from the CSV

Writes ``gradient_norms.csv`` (one line per row, seed and outer epoch), ``gradient_norms.png`` and
the table in ``README.md`` beside itself; with ``--output``, CSV and figure elsewhere. Every row is
trained by the public classes that also train the LSTM, around a Keras ``Dense(1)``, in float64,
batch size 1.
"""

import argparse
import csv
import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import keras
import numpy as np
import tensorflow as tf

import tq_halp
from experiments.linear_regression.figure import AUTO, draw
from experiments.markdown_sections import fill
from tq_halp.data.synthetic import linear_regression

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES, FEATURES, NOISE = 1000, 100, 0.1
STEP_SIZE = 2.5e-3
STEPS = 2 * SAMPLES  # T, inner steps per outer epoch
EPOCHS = 40
SHOWN = (0, 1, 5, 10, 20, 40)
DIVERGED = 1e6


def fixed_grid(word_bits):
    """In place of δ = 4/127 and 4/32767 the nearest power of two, 4/128 = 2^-5 and 2^-13."""
    return tq_halp.formats.FixedPoint(word_bits, {8: 5, 16: 13}[word_bits])


def halp(word_bits, mu):
    return lambda model, seed: tq_halp.HALP(
        model, word_bits=word_bits, mu=mu, scale="global", snapshot_every=STEPS, seed=seed
    )


def untuned_halp(**bits):
    """With the defaults: mu="auto", a scale per tensor, of which there is one."""
    return lambda model, seed: tq_halp.HALP(model, **bits, snapshot_every=STEPS, seed=seed)


BLOCK_FLOAT = tq_halp.formats.BlockFloat(8, block_size=20, axis=0)
MOMENTUM = "SGD with momentum, float64"


def optimizer(name, steps):
    """SGD(α), and as most people train: Nesterov momentum and a cosine schedule over all steps.

    The rate is (1 − 0.9) α then, so that both begin with the same α in the long run.
    """
    if name != MOMENTUM:
        return keras.optimizers.SGD(STEP_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(0.1 * STEP_SIZE, steps)
    return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)


ROWS = {
    "SGD, float64": lambda model, seed: tq_halp.SGD(model),
    MOMENTUM: lambda model, seed: tq_halp.SGD(model),
    "LP-SGD 8 b": lambda model, seed: tq_halp.LowPrecisionSGD(model, fixed_grid(8), seed=seed),
    "LP-SGD 16 b": lambda model, seed: tq_halp.LowPrecisionSGD(model, fixed_grid(16), seed=seed),
    "SVRG, float64": lambda model, seed: tq_halp.SVRG(model, snapshot_every=STEPS),
    "LP-SVRG 8 b": lambda model, seed: tq_halp.LowPrecisionSVRG(
        model, fixed_grid(8), snapshot_every=STEPS, seed=seed
    ),
    "LP-SVRG 16 b": lambda model, seed: tq_halp.LowPrecisionSVRG(
        model, fixed_grid(16), snapshot_every=STEPS, seed=seed
    ),
    "HALP 8 b, μ = 3": halp(8, 3.0),
    "HALP 8 b, μ = 0.5": halp(8, 0.5),
    "HALP 8 b, μ = 10": halp(8, 10.0),
    "HALP 4 b, μ = 0.5": halp(4, 0.5),
    "HALP 16 b, μ = 0.5": halp(16, 0.5),
    f"HALP 8 b, {AUTO}": untuned_halp(word_bits=8),
    f"HALP 6 b, {AUTO}": untuned_halp(word_bits=6),
    f"HALP 4 b, {AUTO}": untuned_halp(word_bits=4),
    f"HALP 3 b, {AUTO}": untuned_halp(word_bits=3),
    f"HALP float8_e4m3fn, {AUTO}": untuned_halp(format="float8_e4m3fn"),
    f"HALP 8 b block_float, {AUTO}": untuned_halp(format=BLOCK_FLOAT),
}

# Reference behaviour: ‖∇f‖ at k = 0, 1, 5, 10, 20, 40; None where the source gives no number
REFERENCE = {
    "SGD, float64": (9.8, 0.27, 3.5e-2, 3.4e-2, 4e-2, 3.5e-2),
    "LP-SGD 8 b": (9.8, 1.2, 1.1, 1.1, 1.0, 1.1),
    "LP-SGD 16 b": (9.8, 0.21, 4e-2, 4e-2, 4e-2, 4e-2),
    "SVRG, float64": (9.8, 4.1, 8e-2, 7e-4, 3e-8, 2e-14),
    "LP-SVRG 8 b": (9.8, 4.6, 1.3, 1.2, 1.3, 1.4),
    "LP-SVRG 16 b": (9.8, 4.0, 9e-2, 6e-3, 5.6e-3, 5.7e-3),
    "HALP 8 b, μ = 3": (9.8, 4.1, 0.10, 1.4e-3, 1.4e-7, 2e-15),
    "HALP 8 b, μ = 0.5": (9.8, 7.1, 2.2, 0.86, 8.5e-2, 8e-4),
    "HALP 8 b, μ = 10": (9.8, 4.5, 1.1, 0.49, 0.18, 2.6e-2),
    "HALP 16 b, μ = 0.5": (9.8, 4.0, 7.5e-2, 8e-4, 3e-8, 9e-16),
}


def half_mean_squared_error(y_true, y_pred):
    return 0.5 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


class GradientNorm(keras.callbacks.Callback):
    """‖∇f(w)‖₂ after every outer epoch, in NumPy; stops a run that has diverged."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        self.norms = []

    def measure(self):
        w = self.model.model.get_weights()[0]
        self.norms.append(float(np.linalg.norm(self.x.T @ (self.x @ w - self.y)) / len(self.x)))

    def on_train_begin(self, logs=None):
        self.measure()

    def on_epoch_end(self, epoch, logs=None):
        self.measure()
        if not self.norms[-1] < DIVERGED:
            self.model.stop_training = True


def train(name, seed, epochs):
    """One row with one seed: the list of gradient norms, k = 0 first."""
    data = linear_regression(samples=SAMPLES, features=FEATURES, noise=NOISE)
    x, y = data.train
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )
    algorithm = ROWS[name](model, seed)
    algorithm.compile(
        optimizer(name, epochs * STEPS), loss=half_mean_squared_error, steps_per_execution=200
    )
    x_rows, y_rows = tf.constant(x), tf.constant(y)
    # i ~ Uniform{1..N} with replacement, as in the paper; the full gradient is over X itself.
    # Looked up 200 at a time: one by one that would take as long as the steps themselves.
    stream = tf.data.Dataset.random(seed=1000 + seed).batch(200)
    stream = stream.map(
        lambda i: tuple(tf.gather(rows, i % SAMPLES)[:, None] for rows in (x_rows, y_rows))
    ).unbatch()
    norm = GradientNorm(x, y)
    algorithm.fit(
        stream,
        steps_per_epoch=STEPS,
        epochs=epochs,
        full_gradient_data=tf.data.Dataset.from_tensors((x, y)),
        callbacks=[norm],
        verbose=0,
    )
    return norm.norms


def run_all(rows, epochs, seeds):
    """{row: list over seeds of norms} for the named rows."""
    from rich.progress import Progress

    results = {}
    with Progress() as progress:
        task = progress.add_task("linear regression", total=len(rows) * len(seeds))
        for name in rows:
            progress.update(task, description=name)
            results[name] = []
            for seed in seeds:
                keras.backend.clear_session()
                results[name].append(train(name, seed, epochs))
                progress.advance(task)
    return results


def mean_norm(runs, k):
    """Mean over seeds after k outer epochs; inf once any run has diverged."""
    return float(np.mean([run[k] if k < len(run) else np.inf for run in runs]))


def write_csv(results, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "seed_index", "outer_epoch", "gradient_norm"])
        for name, runs in results.items():
            for index, run in enumerate(runs):
                writer.writerows([name, index, k, f"{norm:.6e}"] for k, norm in enumerate(run))


def read_csv(path):
    results = {name: [] for name in ROWS}
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            runs = results[line["row"]]
            if int(line["outer_epoch"]) == 0:
                runs.append([])
            runs[-1].append(float(line["gradient_norm"]))
    return {name: runs for name, runs in results.items() if runs}


def table(results, epochs):
    """Measured over reference, and whether k = 1, 5, 10 are within a factor of two."""
    shown = [k for k in SHOWN if k <= epochs]
    lines = [
        "| measured (reference) | "
        + " | ".join(f"k = {k}" for k in shown)
        + " | within 2x, k ≤ 10 |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for name, runs in results.items():
        wanted = REFERENCE.get(name, (None,) * len(SHOWN))
        got = {k: mean_norm(runs, k) for k in shown}
        cells = [
            _number(got[k]) + (f" ({want:.2g})" if want is not None else "")
            for k, want in zip(shown, wanted, strict=False)
        ]
        pairs = [(got[k], want) for k, want in zip(shown, wanted, strict=False) if k in (1, 5, 10)]
        verdict = "" if wanted[0] is None else "yes"
        if any(want and not want / 2 <= value <= want * 2 for value, want in pairs):
            verdict = "no"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {verdict} |")
    return "\n".join(lines)


def _number(value):
    return "diverged" if not value < DIVERGED else f"{value:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    text = "one seed, five epochs; the results go to runs/linear_regression"
    parser.add_argument("--quick", action="store_true", help=text)
    parser.add_argument("--output", type=pathlib.Path, help="folder of CSV and figure")
    parser.add_argument("--redraw", action="store_true", help="table and figure from the CSV")
    parser.add_argument(
        "--only", choices=list(ROWS), nargs="+", metavar="ROW", help="repeat these, keep the others"
    )
    options = parser.parse_args()
    epochs, seeds = (5, [0]) if options.quick else (EPOCHS, [0, 1, 2])
    output = options.output or (pathlib.Path("runs/linear_regression") if options.quick else HERE)
    output.mkdir(parents=True, exist_ok=True)
    keras.config.set_floatx("float64")
    path = output / "gradient_norms.csv"
    results = read_csv(path) if (options.redraw or options.only) and path.exists() else {}
    if not options.redraw:
        results |= run_all(options.only or list(ROWS), epochs, seeds)
        results = {name: results[name] for name in ROWS if name in results}
        write_csv(results, path)
    draw(results, output / "gradient_norms.png")
    print(table(results, epochs))
    if output == HERE:
        fill(HERE / "README.md", "table", table(results, epochs))


if __name__ == "__main__":
    main()
