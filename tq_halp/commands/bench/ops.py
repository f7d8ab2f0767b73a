"""Time the ops of quant_ops against a copy.

Every figure is a ratio of rates within one run: an op and the copy x * c take turns, and the
fastest turn of each counts. "call" is one application per call of a tf.function; for a small tensor
it shows TensorFlow's overhead of about 100 us. "looped" is one of many applications in a loop
within one call. Both leave x as it is and write to other memory.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Any

from tq_halp.commands.bench import arguments
from tq_halp.commands.bench.op_cases import BLOCK, CASES, DTYPES, OPS, ROUNDINGS
from tq_halp.errors import InputError

PURPOSE = "the ops against a copy, the composite backend and TensorFlow's fake quantization"

FIELDS: tuple[str, ...] = ("op", "arguments", "rounding", "dtype", "elements")
FIELDS += ("melem_per_s", "of_copy", "median_of_copy")
FIELDS += ("loops", "looped_melem_per_s", "looped_of_copy", "looped_median_of_copy")
FIELDS += ("of_composite", "of_fake_quant")

COLUMNS: tuple[str, ...] = ("op", "rounding", "dtype", "elements", "call\nMelem/s", "of\ncopy")
COLUMNS += ("looped\nMelem/s", "of\ncopy", "of\ncomposite", "of\nfake_quant")

# If the two ways to compare (timing.py) differ by more, the machine was busy.
DISTURBED = 1.15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the benchmark's options."""
    add = parser.add_argument
    for name, known, default in (
        ("ops", OPS, OPS),
        ("roundings", ROUNDINGS, ("nearest_even", "stochastic")),
        ("dtypes", DTYPES, ("float32",)),
    ):
        text = (
            f"some of {', '.join(known)}; default: {'all' if default is OPS else ','.join(default)}"
        )
        add(f"--{name}", type=arguments.listed(known), default=default, metavar="A,B", help=text)
    sizes = arguments.sizes(multiple=BLOCK * BLOCK)
    text = "elements per tensor, default: %(default)s"
    add("--sizes", type=sizes, default="16Mi,64Ki", metavar="A,B", help=text)
    arguments.add_turns(parser, default=15)
    arguments.add_csv(parser)


def run(options: argparse.Namespace) -> None:
    """Measures, prints the table and writes the file.

    Raises:
        InputError: QUANT_OPS_BACKEND names no backend, or one that is not there.
    """
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    import quant_ops
    from tq_halp.commands.bench import results_table

    try:
        backend = quant_ops.backend()
    except (ValueError, RuntimeError) as error:
        raise InputError(str(error)) from error
    # On the CPU a call returns when the work is done.
    with tf.device("CPU"):
        rows = list(_measure(options, backend))
    title = f"{backend} backend, TensorFlow {tf.__version__}, {os.cpu_count()} processors"
    results_table.show(title, COLUMNS, map(_cells, rows), _caption(rows))
    if options.csv:
        results_table.write_csv(options.csv, FIELDS, rows)


def _measure(options: argparse.Namespace, backend: str) -> Iterator[dict[str, Any]]:
    """The rows; for the composite backend calls alone, which take longer than any overhead."""
    from rich.console import Console
    from rich.progress import Progress

    from tq_halp.commands.bench.op_timer import Workbench

    native = backend == "native"
    cases = [case for case in CASES if case.op in options.ops]
    runs = [(case, rounding) for case in cases for rounding in case.roundings(options.roundings)]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(runs) * len(options.dtypes) * len(options.sizes))
        for dtype in options.dtypes:
            for size in options.sizes:
                bench = Workbench(dtype, size, options.repeats, looped=native)
                for case, rounding in runs:
                    names = (case.op, case.variant, rounding, dtype, size)
                    progress.update(task, description=" ".join(map(str, names)))
                    row = dict(zip(FIELDS, names, strict=False)) | bench.measure(case, rounding)
                    if native and not options.no_composite:
                        row |= bench.measure_composite(case, rounding)
                    yield row
                    progress.advance(task)


def _cells(row: dict[str, Any]) -> Sequence[str]:
    def number(name: str, digits: int) -> str:
        return f"{row[name]:,.{digits}f}" if name in row else ""

    label = f"{row['op']} {row['arguments']}".strip()
    cells: tuple[str, ...] = (
        label,
        row["rounding"],
        row["dtype"],
        arguments.size_text(row["elements"]),
    )
    cells += (number("melem_per_s", 0), number("of_copy", 2))
    cells += (number("looped_melem_per_s", 0), number("looped_of_copy", 2))
    return *cells, number("of_composite", 1), number("of_fake_quant", 2)


def _caption(rows: list[dict[str, Any]]) -> str:
    """How to read the table; only what its rows need."""
    lines = ["Ratios of rates: above 1 the op is faster. copy: x * c, in turn with the op."]
    if any("loops" in row for row in rows):
        lines.append(
            "looped: one of many applications in a tf.while_loop, whose overhead of a few us is "
            "in both; call: one application per call."
        )
    if any("of_composite" in row for row in rows):
        lines.append("composite: calls, 3 turns, with 1 Mi elements where the tensor has more.")
    if any("of_fake_quant" in row for row in rows):
        lines.append(
            "fake_quant: calls of tf.quantization.fake_quant_with_min_max_args on the same grid; "
            "it rounds ties up."
        )
    pairs = [(row["of_copy"], row["median_of_copy"]) for row in rows]
    disturbed = sum(max(pair) > DISTURBED * min(pair) for pair in pairs)
    if disturbed:
        lines.append(
            f"In {disturbed} of {len(rows)} rows the ratio of the fastest turns (shown) and the "
            "median ratio differ by over 15 %: the machine is busy."
        )
    return "\n".join(lines)
