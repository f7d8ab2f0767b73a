"""Who is best where: bits x condition number x budget. See README.md.

python -m experiments.regimes.run                           what results/ does not hold yet
python -m experiments.regimes.run --problem softmax         of one problem
python -m experiments.regimes.run --minutes 30              for so long
python -m experiments.regimes.run --quick                   a corner of it, into runs/regimes
python -m experiments.regimes.run --redraw                  tables and figure from results/
"""

import argparse
import itertools
import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import keras
import numpy as np

import tq_halp
from experiments import missing_runs
from experiments.best_rate import geometric_mean
from experiments.markdown_sections import fill
from experiments.regimes.map import LOOKS, best_of, draw, tables
from experiments.regimes.problems import BATCH, PROBLEMS, RATES, STEPS

HERE = pathlib.Path(__file__).resolve().parent
CONDITIONS, BITS, SEEDS = (1, 100, 10_000), (8, 4, 3, 2), (0, 1)
COLUMNS = ("candidate", "bits", "condition", "rate", "seed", "passes", "excess")
# Below this the rounding of float64 is seen.
FLOOR = 1e-15


def grid(bits):
    """From -4 to 4: it holds the optimum, which is N(0, 1)."""
    return tq_halp.formats.FixedPoint(bits, bits - 3)


# {name: (builds the trainer from model, bits and scale; gradients of an epoch in passes)}
CANDIDATES = {
    "LP-SGD": (lambda model, bits, scale: tq_halp.LowPrecisionSGD(model, grid(bits)), 1),
    "LP-SGD, error feedback": (
        lambda model, bits, scale: tq_halp.LowPrecisionSGD(
            model, grid(bits), error_feedback="exact"
        ),
        1,
    ),
    "BC-SGD": (
        lambda model, bits, scale: tq_halp.BitCenteredSGD(model, word_bits=bits, scale=scale),
        1,
    ),
    "HALP": (
        lambda model, bits, scale: tq_halp.HALP(
            model, word_bits=bits, scale=scale, variance_ratio=False
        ),
        3,
    ),
    "BC-SAGA": (
        lambda model, bits, scale: tq_halp.BitCenteredSAGA(model, word_bits=bits, scale=scale),
        1,
    ),
}
FULL = "SGD"  # in full precision, for the scale of the numbers


def excesses(problem, candidate, bits, rate, looks):
    """{passes: geometric mean of f − f* over the targets} of one training."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(problem.outputs, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((problem.x.shape[1],)), layer])
    if candidate == FULL:
        trainer, price = tq_halp.SGD(model), 1
    else:
        build, price = CANDIDATES[candidate]
        trainer = build(model, bits, problem.scale)
    optimizer = keras.optimizers.SGD(rate * problem.stable_rate())
    trainer.compile(optimizer, problem.loss, steps_per_execution=STEPS // 8)
    found, epochs = {}, 0
    for look in looks:
        try:
            trainer.fit(
                problem.x, problem.y, batch_size=BATCH, epochs=look // price - epochs, verbose=0
            )
            found[look] = geometric_mean(np.maximum(problem.excess(layer.kernel.numpy()), FLOOR))
        except FloatingPointError:  # a full gradient that is not finite
            found[look] = np.inf
        if not np.isfinite(found[look]):
            return dict.fromkeys(looks, np.inf) | {k: v for k, v in found.items() if k < look}
        epochs = look // price
    return found


def planned(quick):
    """(candidate, bits, condition, rate, seed) of each training, the first seed first."""
    conditions, bits, seeds = CONDITIONS, BITS, SEEDS
    if quick:
        conditions, bits, seeds = CONDITIONS[1:2], BITS[1:2], SEEDS[:1]
    for seed, condition in itertools.product(seeds, conditions):
        for rate in RATES:
            yield FULL, 0, condition, rate, seed
            for each, name in itertools.product(bits, CANDIDATES):
                yield name, each, condition, rate, seed


def read(path):
    """{(candidate, bits, condition, rate, seed): {passes: excess}}."""
    found = {}
    for line in missing_runs.read(path):
        bits, condition, seed = (int(line[name]) for name in ("bits", "condition", "seed"))
        run = line["candidate"], bits, condition, float(line["rate"]), seed
        found.setdefault(run, {})[int(line["passes"])] = float(line["excess"])
    return found


def run_missing(kind, path, quick, minutes):
    """Makes the trainings that the file does not hold."""
    done, looks = read(path), LOOKS[:2] if quick else LOOKS
    missing = [run for run in planned(quick) if run not in done]

    def lines_of(run):
        name, bits, condition, rate, seed = run
        found = excesses(PROBLEMS[kind](condition, seed), name, bits, rate, looks)
        return [[*run, look, f"{excess:.3e}"] for look, excess in found.items()]

    missing_runs.run_missing(path, COLUMNS, missing, lines_of, kind, minutes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problem", choices=list(PROBLEMS), help="default: both")
    parser.add_argument("--minutes", type=float, default=np.inf, help="default: to the end")
    parser.add_argument("--quick", action="store_true", help="a corner, into runs/regimes")
    parser.add_argument("--redraw", action="store_true", help="from what results/ holds")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    output = pathlib.Path("runs/regimes") if options.quick else HERE / "results"
    files = {kind: output / f"{kind.replace(' ', '_')}.csv" for kind in PROBLEMS}
    for kind in [options.problem] if options.problem else PROBLEMS:
        if not options.redraw:
            run_missing(kind, files[kind], options.quick, options.minutes)
    best = {kind: best_of(read(path)) for kind, path in files.items()}
    page = tables(best)
    print(page)
    draw(best, (output if options.quick else HERE) / "regimes.png")
    if not options.quick:
        fill(HERE / "README.md", "tables", page)


if __name__ == "__main__":
    main()
