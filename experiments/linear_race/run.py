"""How long does a whole fit of a linear model take, ours and other libraries'?

    python -m experiments.linear_race.run            what results.csv does not hold: 30 minutes
    python -m experiments.linear_race.run --quick    a twentieth of the samples, writes nothing
    python -m experiments.linear_race.run --redraw   tables and figure from the CSV files

It races ``tq_halp.commands.bench.rivals``, one problem and number of threads after the other, and
adds the rows to ``results.csv`` as they come; ``cold.csv`` has new processes, ``setup.csv`` the
stages of our fits. The libraries that are not installed take no part:
``pip install 'tq_halp[rivals]'``. The machine should have nothing else to do.
"""

import argparse
import json
import os
import pathlib
import runpy
import sys
import tempfile

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments.linear_race import cold_start, figure, set_up, tables
from experiments.machine_description import machine_facts
from experiments.markdown_sections import fill
from experiments.missing_runs import read
from tq_halp.commands.bench.linear_rivals import FIELDS
from tq_halp.commands.bench.results_table import write_csv
from tq_halp.commands.bench.rivals import process
from tq_halp.commands.bench.rivals.problems import PROBLEMS

HERE = pathlib.Path(__file__).resolve().parent
THREADS = (1, 2)


def race(folder, scale):
    """Adds to ``results.csv`` the races that it lacks; each is written when it is complete."""
    path = folder / "results.csv"
    rows = read(path)
    done = {(row["data"], int(row["threads"])) for row in rows}
    for threads in THREADS:
        for name in PROBLEMS:
            if (name, threads) in done or threads > (os.cpu_count() or 1):
                continue
            print(f"{name}, {threads} thread(s)", flush=True)
            found = []
            for row in process.rows(name, threads, scale):
                print(f"  {row['contender']}: {row.get('seconds_1.001', 'not')} s", flush=True)
                found.append(row)
            if not found:
                print(f"  {name} is not there and cannot be fetched: left out")
            rows += found
            write_csv(path, FIELDS, rows)


def measure(folder, scale):
    """All files of the folder."""
    load = os.getloadavg()[0]
    race(folder, scale)
    cold_start.measure(folder / "cold.csv")
    set_up.measure(folder / "setup.csv", scale)
    facts = machine_facts(load, "scikit-learn")
    (folder / "machine.json").write_text(json.dumps(facts, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--redraw", action="store_true")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            measure(folder, 0.05)
            print("\n\n".join(tables.parts_of_page(folder).values()))
        return
    if not options.redraw:
        measure(HERE, 1.0)
    figure.draw(read(HERE / "results.csv"), HERE / "race.png")
    for mark, text in tables.parts_of_page(HERE).items():
        fill(HERE / "README.md", mark, text)


if __name__ == "__main__":
    sys.exit(main())
