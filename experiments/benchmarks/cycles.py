"""What the ops' arithmetic costs per element: one thread, in cache, no TensorFlow around it.

    python -m experiments.benchmarks.cycles    the figures as CSV, per instruction set: a minute

Compiles ``cycles.cc`` with the library's own core. What is compiled stays in ``build/``, under the
hash of the sources, and is not compiled again.
"""

import csv
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INSTRUCTION_SETS = ("avx512", "avx2")


def program():
    """The path of the program, compiled if need be."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()  # which quant_ops imports
    from quant_ops import build

    folder = ROOT / "build" / f"cycles-{build.source_hash()}"
    source, target = HERE / "cycles.cc", folder / "cycles"
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    cxx = build.compiler()
    core = build.core_commands(cxx, folder)
    own = {folder / "cycles.o": [*cxx, *build.FLAGS, "-I", str(build.SOURCES), "-c", str(source)]}
    print(f"compiling the core into {folder} ...", file=sys.stderr)
    build.run_all(own | {path: command for path, command in core.items() if not path.exists()})
    build.run_all({target: [*cxx, *map(str, [*own, *core])]})
    return target


def measure():
    """A dictionary per line of the program's, for those of the instruction sets that are here.

    Where none of them is, for the one that the program then takes.
    """
    path, rows = program(), []
    for name in INSTRUCTION_SETS:
        environment = os.environ | {"QUANT_OPS_ISA": name}
        run = subprocess.run([path], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found = list(csv.DictReader(run.stdout.splitlines()))
        if found[0]["isa"] == name or (name == INSTRUCTION_SETS[-1] and not rows):
            rows += found
    return rows


def write(rows, file):
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


if __name__ == "__main__":
    write(measure(), sys.stdout)
