"""One gradient a step, trained to the end: digits, LP-SGD and bit-centered SGD from 8 to 2 bits.

    python -m experiments.digits_mlp.run             all runs that the CSV does not hold yet
    python -m experiments.digits_mlp.run --quick     one seed, one rate, five passes, into runs/
    python -m experiments.digits_mlp.run --redraw    table and figure from the CSV

Writes ``results.csv`` (one line a run), ``losses.png`` and the table in ``README.md`` here.
A run's line is written when it ends, so a second start goes on where the first was stopped.
"""

import argparse
import pathlib
import runpy
import time

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import keras
import numpy as np
from sklearn.datasets import load_digits

import tq_halp
from experiments import missing_runs
from experiments.digits_mlp.figure import draw
from experiments.digits_mlp.tables import best_rates, table
from experiments.markdown_sections import fill

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS = ("candidate", "bits", "rate", "seed", "training_loss", "validation_loss", "seconds")
TRAINING, BATCH, PASSES = 1440, 16, 45
STEPS = TRAINING // BATCH
RATES, SEEDS, BITS = (0.05, 0.1, 0.2, 0.4), (0, 1, 2), (8, 6, 4, 3, 2)


def fixed_grid(half_width):
    """LP-SGD whose weights are in ±half_width, a power of two."""
    integer_bits = int(np.log2(half_width))

    def build(model, bits, seed):
        grid = tq_halp.formats.FixedPoint(bits, bits - 1 - integer_bits)
        return tq_halp.LowPrecisionSGD(model, grid, seed=seed)

    return build


def full_precision(model, bits, seed):
    return tq_halp.SGD(model, seed=seed)


def bit_centered(model, bits, seed):
    return tq_halp.BitCenteredSGD(model, word_bits=bits, seed=seed)


# {name: builds the trainer}; every one of them takes one gradient a step.
CANDIDATES = {
    "SGD": full_precision,
    "LP-SGD ±0.5": fixed_grid(0.5),
    "LP-SGD ±1": fixed_grid(1.0),
    "LP-SGD ±2": fixed_grid(2.0),
    "BC-SGD": bit_centered,
}
WITHOUT_BITS = ("SGD",)


def digits():
    """Training and validation set: (x, y), (x, y), pixels from 0 to 1."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order]
    return (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])


def train(name, bits, rate, seed, passes):
    """One run: (training loss, validation loss), at the end."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(64, "tanh"), keras.layers.Dense(10)]
    )
    algorithm = CANDIDATES[name](model, bits, seed)
    schedule = keras.optimizers.schedules.CosineDecay(rate, passes * STEPS)
    algorithm.compile(
        keras.optimizers.SGD(schedule, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=10,
    )
    training, validation = digits()
    algorithm.fit(*training, batch_size=BATCH, epochs=passes, verbose=0)
    return [
        algorithm.evaluate(*data, batch_size=TRAINING, verbose=0) for data in (training, validation)
    ]


def planned(seeds, rates):
    """(name, bits, rate, seed) of all runs; with the seeds outside, every stop is a fair one."""
    for seed in seeds:
        for bits in (None, *BITS):
            for name in CANDIDATES:
                if (bits is None) == (name in WITHOUT_BITS):
                    yield from ((name, bits, rate, seed) for rate in rates)


def read(path):
    """{(name, bits, rate, seed): (training loss, validation loss)}."""
    found = {}
    for line in missing_runs.read(path):
        bits = int(line["bits"] or 0) or None
        run = line["candidate"], bits, float(line["rate"]), int(line["seed"])
        found[run] = float(line["training_loss"]), float(line["validation_loss"])
    return found


def run_missing(path, seeds, rates, passes):
    """Makes the runs that the file does not hold."""
    done = read(path)
    missing = [run for run in planned(seeds, rates) if run not in done]

    def lines_of(run):
        begin = time.perf_counter()
        losses = [f"{loss:.4e}" for loss in train(*run, passes)]
        name, bits, rate, seed = run
        return [[name, bits or "", rate, seed, *losses, f"{time.perf_counter() - begin:.1f}"]]

    missing_runs.run_missing(path, COLUMNS, missing, lines_of, "digits")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    text = "one seed, one rate, five passes; the results go to runs/digits_mlp"
    parser.add_argument("--quick", action="store_true", help=text)
    parser.add_argument("--redraw", action="store_true", help="table and figure from the CSV")
    options = parser.parse_args()
    output = pathlib.Path("runs/digits_mlp") if options.quick else HERE
    output.mkdir(parents=True, exist_ok=True)
    path = output / "results.csv"
    if options.quick:
        run_missing(path, SEEDS[:1], RATES[1:2], passes=5)
    elif not options.redraw:
        run_missing(path, SEEDS, RATES, PASSES)
    best = best_rates(read(path))
    draw(best, output / "losses.png")
    print(table(best, BITS))
    if output == HERE:
        fill(HERE / "README.md", "table", table(best, BITS))


if __name__ == "__main__":
    main()
