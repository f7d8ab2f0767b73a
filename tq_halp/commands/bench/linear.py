"""Time HALP for linear models against full-precision SVRG.

The problems are logistic regression on dense synthetic data (samples x features) and softmax
regression on MNIST. Float32 SVRG and HALP take turns of one epoch, with the same learning rate and
number of steps; HALP is labelled by the bits of its words and of its data. "total" is the time of
the inner loop and of the pass over all data for the full gradient. "of SVRG" is the speed relative
to SVRG, at the fastest epoch of each. With --rivals whole fits race instead, ours and those of the
libraries that are installed. Set QUANT_OPS_ISA=avx2 or =portable to limit the instructions.
"""

import argparse
import os
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tq_halp.commands.bench import arguments, linear_rivals
from tq_halp.commands.bench.linear_data_sets import DATASETS
from tq_halp.commands.bench.rivals.problems import PROBLEMS
from tq_halp.errors import InputError
from tq_halp.processor_info import usable_cores

PURPOSE = "HALP for linear models against float32 SVRG"

WORDS = ("data", "isa", "algorithm")
FIELDS: tuple[str, ...] = (
    "data",
    "samples",
    "features",
    "outputs",
    "isa",
    "algorithm",
    "word_bits",
    "data_bits",
)
FIELDS += ("batch_size", "threads", "learning_rate", "passes", "steps", "epochs", "setup_seconds")
FIELDS += ("inner_seconds", "gradient_seconds", "total_seconds")
FIELDS += ("inner_median", "gradient_median", "total_median")
FIELDS += ("inner_ratio", "gradient_ratio", "total_ratio", "median_ratio")
FIELDS += ("norm_worst", "norm_last", "first_norm", "last_norm")
FIELDS += ("data_bytes", "bytes_per_s", "read_bytes_per_s", "of_read")

COLUMNS: tuple[str, ...] = ("data", "batch", "threads", "words/data", "set-up\ns")
COLUMNS += ("inner\nms", "gradient\nms", "total\nms", "of\nSVRG", "median\nof SVRG")
COLUMNS += ("GB/s", "of\nread", "norm:\nworst", "\nlast")

#: Of the options that have no meaning with --rivals.
DEFAULTS = {
    "data_bits": ("4", "8", "16"),
    "word_bits": None,
    "batch_sizes": (64,),
    "epochs": 10,
    "passes": 1,
}

SUMMARY = ("words/data", "batch", "threads", "of SVRG", "inner", "gradient", "data sets")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the benchmark's options."""
    add = parser.add_argument
    text = "whole fits, from an array to coefficients, against other libraries' solvers"
    add("--rivals", action="store_true", help=text)
    text = f"some of {', '.join(DATASETS)} (samples x features), or with --rivals of "
    text += f"{', '.join(PROBLEMS)}; default: all"
    add("--datasets", type=arguments.listed((*DATASETS, *PROBLEMS)), metavar="A,B", help=text)
    bits = ("4", "8", "16")
    text = "bits of the quantized data; default: all"
    add("--data-bits", type=arguments.listed(bits), metavar="A,B", help=text)
    text = "bits of the offsets; default: 8, and 16 for data of 16 bits"
    add("--word-bits", type=arguments.listed(bits[1:]), metavar="A,B", help=text)
    text = "numbers of threads, default: 1,2"
    add("--threads", type=arguments.counts, metavar="A,B", help=text)
    text = "samples in a minibatch, default: 64"
    add("--batch-sizes", type=arguments.counts, metavar="A,B", help=text)
    text = "outer epochs of each algorithm, default: 10"
    add("--epochs", type=arguments.at_least_one, metavar="N", help=text)
    text = "passes over the data in an epoch's inner loop, more for tiny data; default: 1"
    add("--passes", type=arguments.at_least_one, metavar="N", help=text)
    text = "fraction of the samples, for a quick look; default: 1"
    add("--scale", type=arguments.part, default=1.0, metavar="X", help=text)
    arguments.add_csv(parser)


def complete(options: argparse.Namespace) -> None:
    """Sets the defaults of the options that were not given.

    Raises:
        InputError: an option, or a data set, is not one of this benchmark.
    """
    known = PROBLEMS if options.rivals else DATASETS
    options.datasets = options.datasets or tuple(known)
    for name in options.datasets:
        if name not in known:
            benchmark = "with --rivals" if options.rivals else "without --rivals"
            raise InputError(
                f"--datasets must be some of {', '.join(known)} {benchmark}. Received: {name!r}"
            )
    if options.threads is None:
        few = options.rivals and usable_cores() < 2
        options.threads = (1,) if few else (1, 2)
    for name, default in DEFAULTS.items():
        given = getattr(options, name)
        if options.rivals and given is not None:
            raise InputError(
                f"--{name.replace('_', '-')} has no effect with --rivals, whose contenders have "
                "their own; leave it out"
            )
        setattr(options, name, default if given is None else given)


def run(options: argparse.Namespace) -> None:
    """Measures, prints the tables and writes the file.

    Raises:
        InputError: QUANT_OPS_ISA names no instruction set, there is no compiled engine, MNIST's
            files are broken, none of the data sets is to be had, or an option has no effect.
    """
    complete(options)
    if options.rivals:
        linear_rivals.run(options)
        return
    from quant_ops.linear import engine
    from tq_halp.commands.bench import results_table

    try:
        isa = engine.instruction_set()
    except (ValueError, RuntimeError) as error:
        raise InputError(str(error)) from error

    missing: list[str] = []
    rows = [{"isa": isa, **row} for row in _measure(options, missing)]
    if not rows:
        raise InputError(f"--datasets: {', '.join(missing)} was not found and cannot be fetched")
    title = f"{isa} instructions, {os.cpu_count()} processors"
    results_table.show(title, COLUMNS, map(_cells, rows), _caption(rows, missing))
    results_table.show(
        "Geometric means over the data sets", SUMMARY, map(_summary, summarize(rows))
    )
    if options.csv:
        results_table.write_csv(options.csv, FIELDS, rows)


def _measure(options: argparse.Namespace, missing: list[str]) -> Iterator[dict[str, Any]]:
    """The rows; names of data sets that are not to be had go to `missing`."""
    from rich.console import Console
    from rich.progress import Progress

    from tq_halp.commands.bench import linear_race
    from tq_halp.commands.bench.linear_data_sets import load

    words = options.word_bits and tuple(map(int, options.word_bits))
    entered = linear_race.contenders(words, tuple(map(int, options.data_bits)))
    settings = [(batch, threads) for batch in options.batch_sizes for threads in options.threads]
    per_set = len(settings) * len(entered) * options.epochs
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(options.datasets) * per_set)
        for name in options.datasets:
            progress.update(task, description=f"{name}: data")
            data = load(name, options.scale)
            if data is None:
                missing.append(name)
                progress.advance(task, per_set)
                continue
            rates = {batch: linear_race.learning_rate(data, batch) for batch in options.batch_sizes}
            for batch, threads in settings:
                progress.update(task, description=f"{name}, batch {batch}, threads {threads}")
                setting = linear_race.Setting(
                    batch_size=batch,
                    threads=threads,
                    epochs=options.epochs,
                    learning_rate=rates[batch],
                    passes=options.passes,
                )
                yield from linear_race.race(data, entered, setting, lambda: progress.advance(task))


def summarize(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Geometric means over data sets, per instruction set, bits, batch size and threads."""
    keys = ("isa", "word_bits", "data_bits", "batch_size", "threads")
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        if row["algorithm"] == "halp":
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    for group, members in groups.items():
        means = {
            name: statistics.geometric_mean([member[name] for member in members])
            for name in ("total_ratio", "inner_ratio", "gradient_ratio", "median_ratio")
        }
        worst = {"norm_worst": max(member["norm_worst"] for member in members)}
        yield dict(zip(keys, group, strict=True)) | means | worst | {"data_sets": len(members)}


def bits(row: dict[str, Any]) -> str:
    """A contender in a table: "float32", or the bits of words and data such as "8/8"."""
    return "float32" if row["algorithm"] == "svrg" else f"{row['word_bits']}/{row['data_bits']}"


def _cells(row: dict[str, Any]) -> Sequence[str]:
    times = [f"{1e3 * row[f'{part}_seconds']:,.1f}" for part in ("inner", "gradient", "total")]
    ratios = [f"{row[name]:.2f}" for name in ("total_ratio", "median_ratio")]
    rates = (f"{row['bytes_per_s'] / 1e9:.1f}", f"{row['of_read']:.2f}")
    norms = [f"{row[name]:.2f}" for name in ("norm_worst", "norm_last")]
    names = (row["data"], str(row["batch_size"]), str(row["threads"]), bits(row))
    return *names, f"{row['setup_seconds']:.2f}", *times, *ratios, *rates, *norms


def _summary(group: dict[str, Any]) -> Sequence[str]:
    means = [f"{group[name]:.2f}" for name in ("total_ratio", "inner_ratio", "gradient_ratio")]
    names = (f"{group['word_bits']}/{group['data_bits']}", str(group["batch_size"]))
    return *names, str(group["threads"]), *means, str(group["data_sets"])


def _caption(rows: Sequence[dict[str, Any]], missing: Sequence[str]) -> str:
    """How to read the table."""
    reads: dict[int, float] = {}
    for row in rows:
        reads[row["threads"]] = max(reads.get(row["threads"], 0), row["read_bytes_per_s"])
    rates = ", ".join(f"{rate / 1e9:.1f} with {threads}" for threads, rate in reads.items())
    lines = [
        "Ratios above 1: faster than float32 SVRG in the same run. total does not include set-up "
        "(quantization and copy).",
        f"GB/s: of data. of read: relative to reading memory in the same run, {rates} threads.",
        "norm: HALP's gradient norm relative to SVRG's, after each epoch.",
    ]
    if missing:
        lines.append(f"Left out, because they were not found or fetched: {', '.join(missing)}.")
    return "\n".join(lines)
