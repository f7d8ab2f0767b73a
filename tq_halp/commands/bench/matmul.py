"""Time matrix products with a rounded running sum against TensorFlow's own product.

The sizes are rows x terms x columns, in float32. The rounded product and tf.matmul take turns, and
the fastest turn of each counts. "of tf.matmul" is the time relative to tf.matmul. The composite
backend, which adds one term at a time, is timed on an eighth of the rows.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from quant_ops.format_facts import ROUNDINGS
from tq_halp.commands.bench import arguments
from tq_halp.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

PURPOSE = "products with a low-precision accumulator against tf.matmul"

FORMATS = {
    "fixed_point": {"word_bits": 16, "frac_bits": 8},
    "minifloat": {"exponent_bits": 5, "mantissa_bits": 10},
}
COMPOSITE_TURNS = 2
FIELDS: tuple[str, ...] = ("rows", "terms", "columns", "format", "rounding", "every")
FIELDS += ("milliseconds", "of_matmul", "composite_of_native")
COLUMNS: tuple[str, ...] = (
    "format",
    "rounding",
    "every",
    "ms",
    "of\ntf.matmul",
    "composite\nof native",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the benchmark's options."""
    add = parser.add_argument
    text = "rows, terms, columns; default: %(default)s"
    add("--shape", type=arguments.product, default="256,1024,1024", metavar="M,K,N", help=text)
    text = "terms between two roundings; default: %(default)s"
    add("--every", type=arguments.counts, default="1,8,32,1024", metavar="A,B", help=text)
    text = f"some of {', '.join(ROUNDINGS)}; default: nearest_even,stochastic"
    default = ("nearest_even", "stochastic")
    add(
        "--roundings",
        type=arguments.listed(ROUNDINGS),
        default=default,
        metavar="A,B",
        help=text,
    )
    arguments.add_turns(parser, default=9)
    arguments.add_csv(parser)


def run(options: argparse.Namespace) -> None:
    """Measures, prints the table and writes the file.

    Raises:
        InputError: there is no native library.
    """
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    from tq_halp.commands.bench import results_table

    rows = list(_measure(options))
    shape = " x ".join(map(str, options.shape))
    title = f"{shape} (rows x terms x columns), {os.cpu_count()} processors"
    results_table.show(title, COLUMNS, map(_cells, rows), "Ratios are of times: above 1 is slower.")
    if options.csv:
        results_table.write_csv(options.csv, FIELDS, rows)


def _measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each format, rounding and number of terms between roundings.

    Raises:
        InputError: there is no native library.
    """
    import tensorflow as tf

    from tq_halp.commands.bench.timing import in_turn, ratio

    rows, terms, columns = options.shape
    a = tf.random.stateless_normal([rows, terms], seed=[1, 2])
    b = tf.random.stateless_normal([terms, columns], seed=[3, 4])
    few = a[: max(1, rows // 8)]
    cases = ((f, r, k) for f in FORMATS for r in options.roundings for k in options.every)
    for case in cases:
        try:
            tasks = {"tf": lambda: tf.matmul(a, b), "native": _product("native", *case, a, b)}
        except RuntimeError as error:
            raise InputError(str(error)) from error
        seconds = in_turn(tasks, options.repeats, at_most=3 * options.repeats)
        row = dict(zip(FIELDS, (*options.shape, *case), strict=False))
        row["milliseconds"] = 1e3 * min(seconds["native"])
        row["of_matmul"] = ratio(seconds["native"], seconds["tf"])
        if not options.no_composite:
            tasks = {name: _product(name, *case, few, b) for name in ("native", "composite")}
            seconds = in_turn(tasks, COMPOSITE_TURNS)
            row["composite_of_native"] = ratio(seconds["composite"], seconds["native"])
        yield row


def _product(
    backend: str, format: str, rounding: str, every: int, a: "tf.Tensor", b: "tf.Tensor"
) -> Callable[[], object]:
    """The rounded product of a and b on a backend, as a function without arguments."""
    import tensorflow as tf

    import quant_ops
    from tq_halp.commands.bench.op_timer import forced

    @tf.function(autograph=False)
    def product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return quant_ops.matmul_rounded(
            a, b, format, every=every, rounding=rounding, **FORMATS[format]
        )

    with forced(backend):  # tracing chooses the backend
        traced = product.get_concrete_function(a, b)
    return lambda: traced(a, b)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    composite = f"{row['composite_of_native']:,.0f}" if "composite_of_native" in row else ""
    numbers = (f"{row['milliseconds']:,.1f}", f"{row['of_matmul']:.1f}", composite)
    return row["format"], row["rounding"], str(row["every"]), *numbers
