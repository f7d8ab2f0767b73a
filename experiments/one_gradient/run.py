"""Least squares at equal numbers of gradients: see README.md.

python -m experiments.one_gradient.run             all runs that results.csv does not hold yet
python -m experiments.one_gradient.run --quick     one seed, 12 passes, into runs/one_gradient
python -m experiments.one_gradient.run --redraw    table and figure from results.csv
"""

import argparse
import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import keras
import numpy as np

import tq_halp
from experiments import missing_runs
from experiments.markdown_sections import fill
from experiments.one_gradient.figure import draw
from experiments.one_gradient.table import LOOKS, best_rates, table

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES, FEATURES, BATCH, SEEDS = 1000, 100, 10, (0, 1, 2)
STEPS = SAMPLES // BATCH
RATES = (0.005, 0.01, 0.02, 0.03)
COLUMNS = ("candidate", "rate", "seed", "passes", "gradient_norm")
GRID = tq_halp.formats.FixedPoint(8, 5)  # from -4 to 4


def centered(**options):
    return lambda model, seed: tq_halp.BitCenteredSAGA(model, word_bits=8, seed=seed, **options)


# {name: (builds the trainer, gradients of an epoch in passes)}
CANDIDATES = {
    "SGD": (lambda model, seed: tq_halp.SGD(model, seed=seed), 1),
    "LP-SGD ±4": (lambda model, seed: tq_halp.LowPrecisionSGD(model, GRID, seed=seed), 1),
    "LP-SGD ±4, exact error feedback": (
        lambda model, seed: tq_halp.LowPrecisionSGD(model, GRID, error_feedback="exact", seed=seed),
        1,
    ),
    "BC-SGD, μ = 10": (
        lambda model, seed: tq_halp.BitCenteredSGD(
            model, mu=10.0, snapshot_fraction=0.1, seed=seed
        ),
        1.1,
    ),
    "BC-SGD": (lambda model, seed: tq_halp.BitCenteredSGD(model, seed=seed), 1),
    "HALP, μ = 3": (
        lambda model, seed: tq_halp.HALP(model, mu=3.0, variance_ratio=False, seed=seed),
        3,
    ),
    "SAGA": (lambda model, seed: tq_halp.SAGA(model, table="step", seed=seed), 1),
    "BC-SAGA by steps, μ = 1": (centered(table="step", mu=1.0), 1),
    "the same, table differences in 8 bits": (
        centered(table="step", mu=1.0, table_format=8),
        1,
    ),
    "the same, table packed into 8 bits": (
        centered(table="step", mu=1.0, table_format=8, table_packed=True),
        1,
    ),
    "BC-SAGA by epochs, μ = 1": (centered(mu=1.0), 1),
    "BC-SAGA by steps": (centered(table="step"), 1),
    "BC-SAGA by epochs": (centered(), 1),
    "BC-SAGA by epochs, 4 bits": (
        lambda model, seed: tq_halp.BitCenteredSAGA(model, word_bits=4, seed=seed),
        1,
    ),
}


def half_squares(y, prediction):
    return keras.ops.mean(keras.ops.square(y - prediction)) / 2


def norms(name, rate, seed, passes):
    """{passes: ‖∇f‖₂} of one run, at those of LOOKS that it comes to."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(SAMPLES, FEATURES)), rng.normal(size=(FEATURES, 1))
    y = x @ w + rng.normal(size=(SAMPLES, 1))
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    build, price = CANDIDATES[name]
    trainer = build(keras.Sequential([keras.Input((FEATURES,)), dense]), seed)
    trainer.compile(keras.optimizers.SGD(rate), half_squares, steps_per_execution=STEPS // 10)
    found, epochs = {}, 0
    for look in (each for each in LOOKS if each <= passes):
        more = int(look / price) - epochs
        if more > 0:
            trainer.fit(x, y, batch_size=BATCH, epochs=more, verbose=0)
            epochs += more
        residual = x @ trainer.model.get_weights()[0].astype(np.float64) - y
        found[look] = float(np.linalg.norm(x.T @ residual) / SAMPLES)
    return found


def read(path):
    """{(name, rate, seed): {passes: norm}}."""
    found = {}
    for line in missing_runs.read(path):
        run = line["candidate"], float(line["rate"]), int(line["seed"])
        found.setdefault(run, {})[int(line["passes"])] = float(line["gradient_norm"])
    return found


def run_missing(path, seeds, passes):
    """Makes the runs that the file does not hold."""
    done = read(path)
    planned = [(name, rate, seed) for seed in seeds for name in CANDIDATES for rate in RATES]
    missing = [run for run in planned if run not in done]

    def lines_of(run):
        return [[*run, look, f"{norm:.3e}"] for look, norm in norms(*run, passes).items()]

    missing_runs.run_missing(path, COLUMNS, missing, lines_of, "least squares")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    text = "one seed, 12 passes; the results go to runs/one_gradient"
    parser.add_argument("--quick", action="store_true", help=text)
    parser.add_argument("--redraw", action="store_true", help="table and figure from results.csv")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    output = pathlib.Path("runs/one_gradient") if options.quick else HERE
    output.mkdir(parents=True, exist_ok=True)
    path = output / "results.csv"
    if options.quick:
        run_missing(path, SEEDS[:1], 12)
    elif not options.redraw:
        run_missing(path, SEEDS, LOOKS[-1])
    found = best_rates(read(path))
    best = {name: found[name] for name in CANDIDATES if name in found}
    draw(best, output / "norms.png")
    print(table(best))
    if output == HERE:
        fill(HERE / "README.md", "table", table(best))


if __name__ == "__main__":
    main()
