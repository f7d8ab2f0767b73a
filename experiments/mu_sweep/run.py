"""Does mu="auto" find a good scale by itself? HALP on the PTB LSTM, beside every fixed mu.

    python -m experiments.mu_sweep.run            about 25 minutes on 2 cores; needs the PTB files
    python -m experiments.mu_sweep.run --quick    one learning rate, 4 bits, fewer tokens: 5 minutes
    python -m experiments.mu_sweep.run --redraw   table and figure from the committed CSV

For each learning rate and word length ``python -m tq_halp.compare`` trains ``mu=auto`` and mu over
four decades, and LP-SGD with as many bits. Writes ``results.csv`` (one line per run and epoch),
``sweep.png`` and the table in ``README.md`` beside itself; with ``--output`` elsewhere.
"""

import argparse
import csv
import math
import pathlib
import runpy
import subprocess
import sys

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments.markdown_sections import fill

HERE = pathlib.Path(__file__).resolve().parent

CONFIG = HERE.parents[1] / "configs" / "lstm_ptb.yaml"
RATES, BITS = (5.0, 10.0, 20.0), (8, 4)
MUS = (0.001, 0.01, 0.1, 1.0, 10.0)
LP_SGD_STEP = {8: 6, 4: 2}  # frac_bits: weights in ±2
SMALLER = {"data.vocabulary_size": 2000, "data.validation_limit": 20000}
SETTINGS = SMALLER | {"data.limit": 50000, "train.epochs": 5}
QUICK = SMALLER | {"data.limit": 10000, "train.epochs": 3}
FIELDS = ("word_bits", "learning_rate", "label", "status", "epoch", "val_perplexity")
MORE = ("mu", "saturated_fraction", "full_gradient_norm", "seconds")


def _label(mu):
    return f"mu{mu:.0e}"


def compare(directory, bits, rate, settings):
    """One comparison; returns the rows of its compare.csv."""
    labels = {"auto": {"mu": "auto"}} | {_label(mu): {"mu": mu} for mu in MUS}
    command = [sys.executable, "-m", "tq_halp.compare", "--config", str(CONFIG), "--seeds", "0"]
    command += ["--algorithms", ",".join([f"{label}=halp" for label in labels] + ["lp_sgd"])]
    command += ["--run-dir", str(directory), "--jobs", "2"]
    common = settings | {"optimizer.learning_rate": rate, "algorithm.word_bits": bits}
    pairs = [f"{key}={value}" for key, value in common.items()]
    pairs += [f"{label}.mu={own['mu']}" for label, own in labels.items()]
    pairs += [f"lp_sgd.frac_bits={LP_SGD_STEP[bits]}"]
    for pair in pairs:
        command += ["--set", pair]
    subprocess.run(command, check=True)
    with open(directory / "compare.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{"word_bits": bits, "learning_rate": rate, **row} for row in rows]


def final(rows, bits, rate, label):
    """Perplexity after the last epoch; infinite for a run that diverged."""
    runs = [
        row
        for row in rows
        if (int(row["word_bits"]), float(row["learning_rate"]), row["label"]) == (bits, rate, label)
    ]
    value = float(runs[-1]["val_perplexity"] or "inf")
    return value if math.isfinite(value) and runs[-1]["status"] == "finished" else math.inf


def conditions(rows):
    return sorted({(-int(r["word_bits"]), float(r["learning_rate"])) for r in rows})


def table(rows):
    labels = [_label(mu) for mu in MUS]
    heads = [
        "bits",
        "learning rate",
        *(f"μ = {mu:g}" for mu in MUS),
        "auto",
        "auto / best",
        "LP-SGD",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for bits, rate in conditions(rows):
        bits = -bits
        fixed = [final(rows, bits, rate, label) for label in labels]
        auto, lp_sgd = (final(rows, bits, rate, label) for label in ("auto", "lp_sgd"))
        ratio = f"{auto / min(fixed):.3f}"
        cells = [str(bits), f"{rate:g}", *map(_number, [*fixed, auto]), ratio, _number(lp_sgd)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value):
    return "diverged" if value > 1e4 else f"{value:.1f}"


def draw(rows, path):
    """Final perplexity against μ, a line per learning rate; dashed the automatic μ's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bits_shown = sorted({-bits for bits, _ in conditions(rows)}, reverse=True)
    figure, axes = pyplot.subplots(
        1, len(bits_shown), figsize=(5 * len(bits_shown), 4), sharey=True, squeeze=False
    )
    for axis, bits in zip(axes[0], bits_shown, strict=True):
        for number, (_, rate) in enumerate(c for c in conditions(rows) if c[0] == -bits):
            values = [final(rows, bits, rate, _label(mu)) for mu in MUS]
            color = f"C{number}"
            axis.plot(MUS, values, "o-", color=color, label=f"learning rate {rate:g}, fixed μ")
            auto = final(rows, bits, rate, "auto")
            axis.axhline(auto, color=color, ls="--", label=f"learning rate {rate:g}, μ = auto")
        axis.set(xscale="log", yscale="log", xlabel="μ", title=f"{bits} bits", ylim=(None, 3000))
        axis.grid(True, which="both", alpha=0.3)
        axis.legend(fontsize=8)
    axes[0][0].set_ylabel("validation perplexity after the last epoch")
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/mu_sweep"))
    parser.add_argument("--output", type=pathlib.Path, default=HERE)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--redraw", action="store_true")
    options = parser.parse_args()
    results = options.output / "results.csv"
    if not options.redraw:
        rates, lengths = ((20.0,), (4,)) if options.quick else (RATES, BITS)
        rows = []
        for bits in lengths:
            for rate in rates:
                directory = options.runs / f"{bits}bits-lr{rate:g}"
                rows += compare(directory, bits, rate, QUICK if options.quick else SETTINGS)
        if options.quick and options.output == HERE:
            print(table(rows))
            return
        options.output.mkdir(parents=True, exist_ok=True)
        with open(results, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS + MORE, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    with open(results, newline="") as file:
        rows = list(csv.DictReader(file))
    draw(rows, options.output / "sweep.png")
    print(table(rows))
    if options.output == HERE:
        fill(HERE / "README.md", "sweep", table(rows))


if __name__ == "__main__":
    main()
