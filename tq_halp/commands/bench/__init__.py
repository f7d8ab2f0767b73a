"""`python -m tq_halp.bench [ops | matmul | step | linear]`: timings, as ratios within one run."""

import argparse
import sys
from collections.abc import Sequence

from tq_halp.commands.bench import linear, matmul, ops, step
from tq_halp.commands.exit_status import FINISHED, answer

#: Benchmark -> its module, which has `PURPOSE`, `add_arguments(parser)` and `run(options)`.
BENCHMARKS = {"ops": ops, "matmul": matmul, "step": step, "linear": linear}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a benchmark, `ops` if none is named; returns the exit status: 0 done, 2 wrong input.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(arguments or ["ops"])

    def run() -> int:
        BENCHMARKS[options.what].run(options)
        return FINISHED

    return answer(run)


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp bench",
        description="Time the ops, matrix products, a training step, or linear models; default: "
        "ops.",
    )
    commands = made.add_subparsers(dest="what", metavar="{" + ",".join(BENCHMARKS) + "}")
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(
            name,
            help=module.PURPOSE,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return made
