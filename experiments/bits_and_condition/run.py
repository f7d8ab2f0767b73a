"""The fewest bits with which HALP converges, against the condition number: see README.md.

    python -m experiments.bits_and_condition.run            about 5 minutes on 2 cores
    python -m experiments.bits_and_condition.run --quick    κ = 4 and 16, μ known, option II
    python -m experiments.bits_and_condition.run --redraw   table and figure from the CSV

Writes ``results.csv`` (one line per setting and outer iteration), ``bits.png`` and the table in
``README.md`` beside itself; with ``--output``, CSV and figure elsewhere. Bit for bit repeatable,
with any number of ``--jobs``: each training has one thread.
"""

import argparse
import concurrent.futures
import csv
import itertools
import multiprocessing
import os
import pathlib
import runpy
import warnings

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import numpy as np

from experiments.markdown_sections import fill
from tq_halp.commands.running.tf_startup import start_tensorflow

start_tensorflow()
from tq_halp.algorithms import convergence_theory  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES, FEATURES, NOISE = 200, 16, 0.1
#: Least-squares problems that share X and are trained at once, each with its own grid.
PROBLEMS = 32
GAMMA, OUTER = 0.7, 10
KAPPAS = (4, 16, 64, 256)
SETTINGS = tuple(itertools.product(("known", "auto"), ("random", "last")))
NAMES = {"known": "μ known", "auto": "μ = auto", "random": "option II", "last": "option I"}
STEPS_PER_EXECUTION = 50
DIVERGED = 1e6
FIELDS = ("kappa", "mu", "iterate", "word_bits", "outer_iteration", "gap")


class Ridge:
    """f(w) = (1/N) Σ f_i(w), f_i(w) = ½ (x_iᵀw − y_i)² + λ/2 ‖w‖², for each of PROBLEMS columns y.

    Every ‖x_i‖ is 1, so each f_i is L-smooth with L = 1 + λ; f is μ-strongly convex with μ = λ plus
    the smallest eigenvalue of XᵀX/N. λ is such that L/μ is ``kappa``.
    """

    def __init__(self, kappa):
        draw = np.random.default_rng(0)
        spread = np.geomspace(1, 1 / 16, FEATURES)
        x = draw.normal(size=(SAMPLES, FEATURES)) * spread
        self.x = x / np.linalg.norm(x, axis=1, keepdims=True)
        solution = draw.normal(size=(FEATURES, PROBLEMS))
        self.y = self.x @ solution + NOISE * draw.normal(size=(SAMPLES, PROBLEMS))
        covariance = self.x.T @ self.x / SAMPLES
        smallest = np.linalg.eigvalsh(covariance)[0]
        self.decay = (1 - kappa * smallest) / (kappa - 1)
        assert self.decay >= 0, f"X alone is conditioned better than {kappa}"
        self.smoothness, self.convexity = 1 + self.decay, smallest + self.decay
        self.hessian = covariance + self.decay * np.eye(FEATURES)
        self.optimum = np.linalg.solve(self.hessian, self.x.T @ self.y / SAMPLES)

    def gap(self, w):
        """f(w) − f*, summed over the problems: ½ (w − w*)ᵀ H (w − w*)."""
        away = w - self.optimum
        return 0.5 * float(np.sum(away * (self.hessian @ away)))


def inner_steps(kappa):
    """T: what the theorem asks for with many bits; with fewer than it allows it names none."""
    return (
        -(-convergence_theory.svrg_steps(kappa, GAMMA) // STEPS_PER_EXECUTION) * STEPS_PER_EXECUTION
    )


def train(kappa, mu, iterate, word_bits):
    """(f(w̃_k) − f*) / (f(w̃_0) − f*) for k = 0, 1, ..., OUTER; shorter if it diverged."""
    import keras
    import tensorflow as tf

    import tq_halp
    from tq_halp.models.weight_decay import WeightDecay

    keras.backend.clear_session()
    keras.config.set_floatx("float64")
    ridge, steps = Ridge(kappa), inner_steps(kappa)
    decay = WeightDecay(ridge.decay)
    columns = keras.layers.Dense(
        PROBLEMS, use_bias=False, kernel_initializer="zeros", kernel_regularizer=decay
    )
    halp = tq_halp.HALP(
        keras.Sequential([keras.Input((FEATURES,)), columns]),
        word_bits=word_bits,
        mu=ridge.convexity if mu == "known" else "auto",
        scale="per_channel",  # a column's own norm: of the whole gradient of its problem
        iterate=iterate,
        snapshot_every=steps,
    )

    def half_squares(y_true, y_pred):
        return 0.5 * keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1)

    rate = convergence_theory.step_size(ridge.smoothness, GAMMA)
    halp.compile(
        keras.optimizers.SGD(rate), loss=half_squares, steps_per_execution=STEPS_PER_EXECUTION
    )
    gaps = [ridge.gap(columns.kernel.numpy())]

    def measure(epoch, logs):
        gaps.append(ridge.gap(columns.kernel.numpy()))
        halp.stop_training = not gaps[-1] < DIVERGED * gaps[0]

    x, y = tf.constant(ridge.x), tf.constant(ridge.y)
    drawn = tf.data.Dataset.random(seed=1).map(lambda i: i % SAMPLES)
    halp.fit(
        drawn.map(lambda i: (x[i][None], y[i][None])),
        steps_per_epoch=steps,
        epochs=OUTER,
        full_gradient_data=tf.data.Dataset.from_tensors((x, y)),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=measure)],
        verbose=0,
    )
    return [gap / gaps[0] for gap in gaps]


def converges(gaps):
    """Whether f − f* fell as the theorem promises: γ^K."""
    return len(gaps) > OUTER and gaps[-1] <= GAMMA**OUTER


def search(setting):
    """Rows for more and more bits, until two word lengths running converge."""
    kappa, mu, iterate = setting
    # Too few bits are the point.
    warnings.filterwarnings("ignore", ".*offsets have reached the edge")
    rows, running = [], 0
    for word_bits in range(2, 17):
        gaps = train(kappa, mu, iterate, word_bits)
        fixed = dict(zip(FIELDS, (kappa, mu, iterate, word_bits), strict=False))
        rows += [{**fixed, "outer_iteration": k, "gap": f"{g:.6e}"} for k, g in enumerate(gaps)]
        running = running + 1 if converges(gaps) else 0
        if running == 2:
            break
    return rows


def run_all(kappas, settings, jobs):
    """The rows of every search, the longest first to begin."""
    from rich.progress import track

    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    tasks = [(kappa, *setting) for kappa in sorted(kappas, reverse=True) for setting in settings]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as workers:
        found = track(workers.map(search, tasks), "bits and condition", total=len(tasks))
        return [row for rows in found for row in rows]


def fewest_bits(rows):
    """{(kappa, mu, iterate): the fewest bits above which all that were tried converge}"""
    found = {}
    by_run = itertools.groupby(rows, key=lambda r: (int(r["kappa"]), r["mu"], r["iterate"]))
    for setting, of_setting in by_run:
        found[setting] = None
        for bits, run in itertools.groupby(of_setting, key=lambda row: int(row["word_bits"])):
            if not converges([float(row["gap"]) for row in run]):
                found[setting] = None
            elif found[setting] is None:
                found[setting] = bits
    return found


def table(rows):
    found = fewest_bits(rows)
    settings = list(dict.fromkeys(key[1:] for key in found))
    heads = ["κ", "T", "the theorem's bits", *(_name(setting) for setting in settings)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for kappa in sorted({key[0] for key in found}):
        bits = convergence_theory.halp_bits(kappa, FEATURES, GAMMA)
        cells = [kappa, inner_steps(kappa), bits]
        cells += [found[(kappa, *setting)] or "more than 16" for setting in settings]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _name(setting):
    return ", ".join(NAMES[part] for part in setting)


def draw(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = fewest_bits(rows)
    settings = list(dict.fromkeys(key[1:] for key in found))
    kappas = sorted({key[0] for key in found})
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    fine = np.geomspace(min(kappas), max(kappas), 200)
    bound = [convergence_theory.halp_bits(kappa, FEATURES, GAMMA) for kappa in fine]
    axes.plot(fine, bound, "k-", label="the theorem, option II")
    for number, setting in enumerate(settings):
        # Beside each other, for whole numbers coincide.
        apart = 1.06 ** (number - (len(settings) - 1) / 2)
        bits = [found[(kappa, *setting)] or np.nan for kappa in kappas]
        axes.plot(np.array(kappas) * apart, bits, "os^D"[number], label=_name(setting))
    axes.set(xscale="log", xlabel="condition number κ = L/μ", ylabel="bits", ylim=(0, None))
    axes.set_xticks(kappas, map(str, kappas))
    axes.minorticks_off()
    axes.set_title(
        f"The fewest bits with which f − f* falls by γ^{OUTER} in {OUTER} outer iterations"
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="κ = 4 and 16, μ known, option II")
    parser.add_argument("--redraw", action="store_true", help="table and figure from the CSV")
    parser.add_argument("--output", type=pathlib.Path, help="folder of CSV and figure")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    options = parser.parse_args()
    output = options.output or (pathlib.Path("runs/bits_and_condition") if options.quick else HERE)
    output.mkdir(parents=True, exist_ok=True)
    if not options.redraw:
        kappas, settings = (KAPPAS[:2], SETTINGS[:1]) if options.quick else (KAPPAS, SETTINGS)
        rows = run_all(kappas, settings, options.jobs)
        with open(output / "results.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    with open(output / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    draw(rows, output / "bits.png")
    print(table(rows))
    if output == HERE:
        fill(HERE / "README.md", "table", table(rows))


if __name__ == "__main__":
    main()
