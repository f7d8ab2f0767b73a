"""How fast is HALP for linear models, against float32 SVRG?

    python -m experiments.lm_halp_speed.run                everything: about 15 minutes on 2 cores
    python -m experiments.lm_halp_speed.run --only curves  one part: speed, curves
    python -m experiments.lm_halp_speed.run --quick        small sizes, to a temporary folder: 3
    python -m experiments.lm_halp_speed.run --redraw       tables and figures from the CSV files

"speed" runs ``python -m tq_halp.bench linear`` once per instruction set, forced by QUANT_OPS_ISA;
it writes ``speed.csv``, ``in_cache.csv`` and ``machine.json``, "curves" ``curves.csv``. Both fill
what stands between the marks of ``README.md``. The machine should have nothing else to do.
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

from experiments.lm_halp_speed import curves, figure, tables
from experiments.machine_description import machine_facts
from experiments.markdown_sections import fill

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

PARTS = ("speed", "curves")
# Of the benchmark; 1 % of the samples are 4 MB in float32, and stay in the cache.
FULL = {"64": ["--epochs=16"], "1": ["--epochs=5"]}
QUICK = {"64": ["--epochs=3", "--scale=0.05"], "1": ["--epochs=2", "--scale=0.02"]}
IN_CACHE = ["--scale=0.01", "--passes=8", "--threads=1"]


def bench(isa, options):
    """The lines of the benchmark's CSV file."""
    environment = os.environ | {"QUANT_OPS_ISA": isa}
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "linear.csv")
        command = [sys.executable, "-m", "tq_halp.bench", "linear", f"--csv={path}", *options]
        if subprocess.run(command, env=environment, cwd=ROOT).returncode:
            sys.exit(f"failed: {' '.join(command)}")
        with open(path, newline="") as file:
            return list(csv.DictReader(file))


def measure_speed(output, quick):
    from quant_ops.linear.engine import available_instruction_sets

    load = os.getloadavg()[0]
    rows, in_cache = [], []
    there = available_instruction_sets()
    for isa in [name for name in there if name != "portable"] or ["portable"]:
        in_cache += bench(isa, IN_CACHE)
        for batch, options in (QUICK if quick else FULL).items():
            rows += bench(isa, [f"--batch-sizes={batch}", *options])
    tables.write(rows, output / "speed.csv")
    tables.write(in_cache, output / "in_cache.csv")
    (output / "machine.json").write_text(
        json.dumps(machine_facts(load, "scikit-learn"), indent=2) + "\n"
    )


def parts_of_page(folder):
    """Mark -> text, from the files that are there; figures are drawn on the way."""
    parts = {}
    if (folder / "speed.csv").exists():
        rows = tables.read(folder / "speed.csv")
        facts = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
        parts["machine"] = tables.machine(rows, facts)
        parts["targets"] = tables.targets(rows)
        parts["verdict"] = tables.verdict(rows)
        parts["details"] = tables.details([r for r in rows if r["batch_size"] == 64])
        parts["batch_1"] = tables.details([r for r in rows if r["batch_size"] == 1])
        parts["profile"] = tables.profile(rows, tables.read(folder / "in_cache.csv"))
    if (folder / "curves.csv").exists():
        rows = tables.read(folder / "curves.csv")
        parts["reference"] = tables.reference(rows)
        figure.draw(rows, folder / "curves.png")
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--quick", action="store_true", help="small sizes; the page is left alone")
    parser.add_argument("--redraw", action="store_true", help="page and figure from the CSV files")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lm_halp_speed-")) if arguments.quick else HERE
    wanted = () if arguments.redraw else (arguments.only,) if arguments.only else PARTS
    if "speed" in wanted:
        measure_speed(folder, arguments.quick)
    if "curves" in wanted:
        tables.write(curves.measure(arguments.quick), folder / "curves.csv")
    for mark, text in parts_of_page(folder).items():
        print(f"{mark}:\n{text}\n")
        if folder == HERE:
            fill(HERE / "README.md", mark, text)
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
