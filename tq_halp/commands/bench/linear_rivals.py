"""`bench linear --rivals`: whole fits against other libraries' solvers."""

import argparse
import time
from collections.abc import Sequence
from typing import Any

from tq_halp.commands.bench import results_table
from tq_halp.commands.bench.rivals import process
from tq_halp.commands.bench.rivals.race import TARGETS
from tq_halp.errors import InputError
from tq_halp.processor_info import usable_cores

FIELDS: tuple[str, ...] = ("data", "threads", "contender")
for _target in TARGETS:
    FIELDS += tuple(f"{what}_{_target}" for what in ("iterations", "seconds", "processor"))
FIELDS += ("last_ratio", "test_error")

COLUMNS = ("data", "threads", "contender", *(f"ms to\n{target}" for target in TARGETS))
COLUMNS += ("iterations\nto 1.001", "test\nerror")

CAPTION = (
    "Milliseconds of the shortest fit(), from a float32 array to coefficients whose loss is at "
    "most so many times the least. Empty: not within 1000 iterations or a fit of some seconds."
)


def run(options: argparse.Namespace) -> None:
    """Races, prints the table and writes the file.

    Raises:
        InputError: scikit-learn is missing, which finds the least loss, none of the data sets is to
            be had, or there are fewer processors than threads.
    """
    if max(options.threads) > usable_cores():
        raise InputError(
            f"--threads must be at most {usable_cores()} with --rivals, the number of processors. "
            f"Received: {max(options.threads)}"
        )
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError("--rivals needs scikit-learn: pip install 'tq_halp[rivals]'") from error
    rows = _raced(options)
    if not rows:
        raise InputError("--datasets: none of them is to be had")
    results_table.show("Whole fits", COLUMNS, map(_cells, rows), CAPTION)
    if options.csv:
        results_table.write_csv(options.csv, FIELDS, rows)


def _raced(options: argparse.Namespace) -> list[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import Progress

    rows: list[dict[str, Any]] = []
    races = [(name, threads) for threads in options.threads for name in options.datasets]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(races))
        for name, threads in races:
            progress.update(task, description=f"{name}, threads {threads}")
            begun = time.perf_counter()
            for row in process.rows(name, threads, options.scale):
                rows.append(row)
                seconds = time.perf_counter() - begun
                progress.update(
                    task,
                    description=f"{name}, threads {threads}: {row['contender']}, {seconds:.0f} s",
                )
            progress.advance(task)
    return rows


def _cells(row: dict[str, Any]) -> Sequence[str]:
    times = [row.get(f"seconds_{target}") for target in TARGETS]
    return (
        row["data"],
        str(row["threads"]),
        row["contender"],
        *("" if seconds is None else f"{1e3 * seconds:,.1f}" for seconds in times),
        str(row.get("iterations_1.001", "")),
        row["test_error"],
    )
