"""What HALP costs beside plain SGD: seconds of a step and of a snapshot, and memory.

    python -m experiments.step_cost.run                     all of it, about ten minutes
    python -m experiments.step_cost.run --only "lstm step"  one part

Writes ``<part>.csv`` and what stands between the marks of ``README.md``.
"""

import argparse
import json
import os
import pathlib
import runpy
import subprocess
import sys

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import numpy as np

from experiments.machine_description import machine
from experiments.markdown_sections import fill
from experiments.quantized_step.resnet8 import resnet8
from tq_halp.commands.bench import step_race
from tq_halp.commands.bench.results_table import write_csv
from tq_halp.models import lstm_language_model

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

HALP, BC_SAGA = "HALP, 8 bits", "BC-SAGA, 8 bits"
#: The most that these may cost: a step and a snapshot as ratios, memory in copies.
LIMITS = {
    "step": {HALP: 2.15, BC_SAGA: 1.15},
    "snapshot": {f"snapshot of {HALP}": 1.05},
    "memory": {HALP: 4.0},
}
STEPS, SNAPSHOT = 12, 40  # minibatches of a turn
UNITS = (1448, 2048)  # 50 and 101 million parameters


def lstm(batches):
    """1 x 128 of Penn Treebank: 32 x 35 tokens, 10,000 words."""
    shape = (2, batches * 32, 35)
    data = np.random.default_rng(0).integers(0, 10_000, shape, dtype="int32")
    return step_race.StepRace(
        lambda: lstm_language_model(10_000), data, batch_size=32, learning_rate=1.0
    )


def resnet(batches):
    """ResNet-8 at CIFAR-10's size, batch 128, on noise."""
    draw = np.random.default_rng(0)
    images = draw.normal(size=(batches * 128, 32, 32, 3)).astype("float32")
    labels = draw.integers(0, 10, batches * 128, dtype="int32")
    return step_race.StepRace(resnet8, (images, labels), batch_size=128, learning_rate=0.1)


MODELS = {"lstm": lstm, "resnet8": resnet}


def measure_time(name, what, turns):
    """The table, the CSV's rows, and {contender: its ratio}."""
    race = MODELS[name](STEPS if what == "step" else SNAPSHOT)
    seconds = race.steps(turns) if what == "step" else race.snapshots(turns)
    lines = [
        f"| {what}, per minibatch | median, ms | first quartile, ms | median ratio of a turn |",
        "|---|---|---|---|",
    ]
    ratios = {}
    for row in step_race.summary(seconds):
        ratios[row["what"]] = row["ratio"]
        times = " | ".join(f"{1e3 * row[key]:.1f}" for key in ("median", "quartile"))
        lines.append(f"| {row['what']} | {times} | {row['ratio']:.2f} |")
    rows = [
        {"what": who, "turn": turn, "minibatch": number, "seconds": f"{each:.6f}"}
        for who, all_turns in seconds.items()
        for turn, one in enumerate(all_turns)
        for number, each in enumerate(one)
    ]
    return "\n".join(lines), rows, ratios


def measure_memory():
    """The same. Copies of the parameters: what a larger model needs more, by what it has more."""
    rows = []
    for name in step_race.KINDS:
        for units in UNITS:
            command = [sys.executable, "-m", "experiments.step_cost.memory", name, str(units)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.strip().splitlines()[-1])
            rows.append({"what": name, "units": units, **found})
    lines = [
        "| in copies of the parameters | variables | tensors | resident | more than Keras |",
        "|---|---|---|---|---|",
    ]
    first, more = None, {}
    for small, large in zip(rows[::2], rows[1::2], strict=True):
        grown = {key: large[key] - small[key] for key in list(small)[2:]}
        copies = [grown[key] / grown["parameters"] for key in ("variables", "tensors", "resident")]
        first = first or copies[-1]
        more[small["what"]] = copies[-1] - first
        cells = " | ".join(f"{each:.2f}" for each in copies)
        lines.append(f"| {small['what']} | {cells} | {more[small['what']]:.2f} |")
    return "\n".join(lines), rows, more


def main():
    times = [f"{name} {what}" for name in MODELS for what in ("step", "snapshot")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*times, "memory"], help="default: all of them")
    parser.add_argument("--turns", type=int, default=7, help="default: %(default)s")
    options = parser.parse_args()
    for part in [options.only] if options.only else [*times, "memory"]:
        load = os.getloadavg()[0]
        if part == "memory":
            what, (text, rows, found) = part, measure_memory()
        else:
            name, what = part.split()
            text, rows, found = measure_time(name, what, options.turns)
        write_csv(HERE / f"{part.replace(' ', '_')}.csv", list(rows[0]), rows)
        verdict = " ".join(
            f"{who}: {found[who]:.2f}, at most {limit} wanted."
            for who, limit in LIMITS[what].items()
        )
        fill(HERE / "README.md", part, f"{text}\n\n{verdict} {machine(load)}")
        print(text, verdict, sep="\n")


if __name__ == "__main__":
    main()
