"""How fast are the native ops, against a copy of the same tensor?

    python -m experiments.benchmarks.run             everything: about 7 minutes on 2 cores
    python -m experiments.benchmarks.run --redraw    tables and figure from the CSV files

Runs ``python -m tq_halp.bench ops`` once per instruction set, forced by QUANT_OPS_ISA, and
``cycles.py``. Writes ``ops.csv``, ``cycles.csv``, ``machine.json``, ``ratios.png`` and what stands
between the marks of ``README.md``. The machine should have nothing else to do.
"""

import argparse
import csv
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments.benchmarks import cycles, figure, tables
from experiments.machine_description import machine_facts
from experiments.markdown_sections import fill

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# What is run with the best instruction set, and what with each of the others.
MORE_DTYPES = ["--dtypes=float64,bfloat16,float16", "--sizes=16Mi", "--no-composite"]
BEST = (["--dtypes=float32"], MORE_DTYPES)
OTHERS = (["--dtypes=float32", "--no-composite"],)


def bench(isa, options):
    """The lines of the benchmark's CSV file, with the instruction set before them."""
    environment = os.environ | {"QUANT_OPS_ISA": isa, "QUANT_OPS_BACKEND": "native"}
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "ops.csv")
        command = [sys.executable, "-m", "tq_halp.bench", "ops", f"--csv={path}", *options]
        if subprocess.run(command, env=environment, cwd=ROOT).returncode:
            sys.exit(f"failed: {' '.join(command)}")
        with open(path, newline="") as file:
            return [{"isa": isa, **line} for line in csv.DictReader(file)]


def measure(options):
    load = os.getloadavg()[0]
    costs = cycles.measure()
    rows = []
    for index, isa in enumerate(tables.instruction_sets(costs)):
        for arguments in OTHERS if index else BEST:
            rows += bench(isa, [*arguments, *options])
    for name, lines in (("ops.csv", rows), ("cycles.csv", costs)):
        with open(HERE / name, "w", newline="") as file:
            cycles.write(lines, file)
    facts = json.dumps(machine_facts(load, "tensorflow"), indent=2)
    (HERE / "machine.json").write_text(facts + "\n", encoding="utf-8")


def page():
    """Tables, figure and sentences from the files that `measure` wrote."""
    rows, costs = tables.read(HERE / "ops.csv"), tables.read(HERE / "cycles.csv")
    facts = json.loads((HERE / "machine.json").read_text(encoding="utf-8"))
    large, small = tables.copy_rates(rows).values()
    sets = ", ".join(tables.instruction_sets(rows))
    parts = {
        "machine": f"{facts['processors']} processors, {facts['processor']}; {facts['system']}; "
        f"{facts['compiler']}; TensorFlow {facts['tensorflow']}; instruction sets {sets}; load "
        f"before the run {facts['load_before']}. The copy's rate in float32: {large:,.0f} Melem/s "
        f"with 16 Mi elements, {small:,.0f} with 64 Ki.",
        "targets": tables.targets(rows),
        "verdict": tables.verdict(rows),
        "profile": tables.profile(rows, costs),
        "dtypes": tables.dtypes(rows),
        "costs": tables.costs(costs),
    }
    for mark, text in parts.items():
        fill(HERE / "README.md", mark, text)
    figure.draw(rows, HERE / "ratios.png")
    print(f"{parts['targets']}\n\n{parts['verdict']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--redraw", action="store_true", help="page and figure from the CSV files")
    parser.add_argument("--repeats", type=int, default=15, help="timed turns, see the benchmark")
    arguments = parser.parse_args()
    if not arguments.redraw:
        measure([f"--repeats={arguments.repeats}"])
    page()


if __name__ == "__main__":
    main()
