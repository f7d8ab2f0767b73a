"""HALP, SVRG, LP-SGD and SGD on the first 100,000 tokens of PTB: who reaches which perplexity?

    python experiments/ptb_100k/run.py                 everything below: about 40 minutes on 2 cores
    python experiments/ptb_100k/run.py --redraw        table and figure from the finished runs' CSV

Each algorithm first runs with seed 0 at every learning rate of the grid; the rate with the best
final validation perplexity then runs with the other seeds. Every run is the user's own command,
``python -m tq_halp.train --config configs/lstm_ptb.yaml --set ...``; finished ones are kept in
``--runs`` and not repeated. Writes ``results.csv`` (one line per run and epoch), ``curves.png`` and
the table in ``README.md`` beside itself, and the one in the project's README.
"""

import argparse
import csv
import json
import math
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from page import fill  # noqa: E402

CONFIG = HERE.parents[1] / "configs" / "lstm_ptb.yaml"
ALGORITHMS = {
    "halp": "HALP, 8 bits",
    "lp_sgd": "LP-SGD, 8 bits",
    "svrg": "SVRG, float32",
    "sgd": "SGD, float32",
}
RATES = (10.0, 20.0)
SEEDS = (0, 1, 2)
EPOCHS = 8
FIELDS = ("algorithm", "learning_rate", "seed", "epoch", "gradient_evaluations", "seconds")
MEASURED = ("train_loss", "val_perplexity", "saturated_fraction", "mu")


def train(runs, algorithm, rate, seed):
    """Train unless it is done; returns the rows of metrics.csv and the run's status."""
    directory = runs / f"{algorithm}-lr{rate:g}-seed{seed}"
    if _status(directory) not in ("finished", "failed"):
        settings = {
            "algorithm.name": algorithm,
            "optimizer.learning_rate": rate,
            "data.limit": 100000,
            "train.epochs": EPOCHS,
        }
        command = [sys.executable, "-m", "tq_halp.train", "--config", str(CONFIG)]
        command += ["--seed", str(seed), "--run-dir", str(directory)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=False)
    summary = json.loads((directory / "summary.json").read_text())
    if summary["dataset"]["fallback"]:
        sys.exit("error: this experiment needs the PTB files (see README.md, Data)")
    with open(directory / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val_perplexity"]]
    rows = [{"algorithm": algorithm, "learning_rate": rate, "seed": seed, **row} for row in rows]
    return rows, summary["status"]


def _status(directory):
    summary = directory / "summary.json"
    return json.loads(summary.read_text())["status"] if summary.exists() else None


def final_perplexity(rows, status):
    """After the last epoch; infinity for a run that failed."""
    return float(rows[-1]["val_perplexity"]) if status == "finished" else math.inf


def run_all(runs):
    results = []
    for algorithm in ALGORITHMS:
        finals = {}
        for rate in RATES:
            rows, status = train(runs, algorithm, rate, SEEDS[0])
            finals[rate] = final_perplexity(rows, status)
            results += rows
        best = min(finals, key=finals.get)
        for seed in SEEDS[1:]:
            results += train(runs, algorithm, best, seed)[0]
    return results


def write_csv(results):
    with open(HERE / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS + MEASURED, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(results)


def read_csv():
    with open(HERE / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def curves_of(results, algorithm):
    """The best rate (the one with all seeds) and, per seed, the rows of its run."""
    runs = {}
    for row in results:
        if row["algorithm"] == algorithm:
            runs.setdefault((float(row["learning_rate"]), int(row["seed"])), []).append(row)
    rate = next(rate for rate, seed in runs if seed == SEEDS[-1])
    return rate, [runs[rate, seed] for seed in SEEDS]


def table(results):
    lines = [
        "| algorithm | learning rate | validation perplexity, mean ± standard error of 3 seeds "
        "| best epoch, mean | passes over the data | grid, seed 0: "
        + " / ".join(f"{rate:g}" for rate in RATES)
        + " |",
        "|---|---|---|---|---|---|",
    ]
    for algorithm, label in ALGORITHMS.items():
        rate, runs = curves_of(results, algorithm)
        finals = [float(run[-1]["val_perplexity"]) for run in runs]
        best = [min(float(row["val_perplexity"]) for row in run) for run in runs]
        error = statistics.stdev(finals) / math.sqrt(len(finals))
        lines.append(
            f"| {label} | {rate:g} | {statistics.mean(finals):.1f} ± {error:.1f} "
            f"| {statistics.mean(best):.1f} | {float(runs[0][-1]['gradient_evaluations']):.0f} "
            f"| {' / '.join(_final(results, algorithm, r) for r in RATES)} |"
        )
    return "\n".join(lines)


def _final(results, algorithm, rate):
    last = [
        row
        for row in results
        if (row["algorithm"], float(row["learning_rate"]), int(row["seed"])) == (algorithm, rate, 0)
    ][-1]
    return f"{float(last['val_perplexity']):.0f}"


def draw(results):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib import ticker

    figure, both = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
    for algorithm, label in ALGORITHMS.items():
        rate, runs = curves_of(results, algorithm)
        y = np.array([[float(row["val_perplexity"]) for row in run] for run in runs])
        error = y.std(axis=0, ddof=1) / math.sqrt(len(runs))
        for axes, key in zip(both, ("epoch", "gradient_evaluations"), strict=True):
            x = np.array([float(row[key]) for row in runs[0]])
            (line,) = axes.plot(
                x[1:], y.mean(axis=0)[1:], "o-", ms=3, label=f"{label}, lr {rate:g}"
            )
            low, high = (y.mean(axis=0) - error)[1:], (y.mean(axis=0) + error)[1:]
            axes.fill_between(x[1:], low, high, alpha=0.25, color=line.get_color())
    for axes, name in zip(both, ("epochs", "passes over the training data"), strict=True):
        axes.set_xlabel(name)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.FixedLocator([300, 400, 500, 600, 800, 1000]))
        axes.yaxis.set_major_formatter(ticker.ScalarFormatter())
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.grid(alpha=0.3, which="both")
    both[0].set_ylabel("validation perplexity")
    both[0].legend(frameon=False)
    figure.suptitle("PTB, 100,000 tokens, LSTM 1 x 128: mean ± standard error of three seeds")
    figure.savefig(HERE / "curves.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/ptb_100k"))
    parser.add_argument("--redraw", action="store_true", help="table and figure from results.csv")
    arguments = parser.parse_args()
    if not arguments.redraw:
        write_csv(run_all(arguments.runs))
    results = read_csv()
    draw(results)
    print(table(results))
    fill(HERE / "README.md", "table", table(results))
    fill(HERE.parents[1] / "README.md", "ptb_100k", table(results))


if __name__ == "__main__":
    main()
