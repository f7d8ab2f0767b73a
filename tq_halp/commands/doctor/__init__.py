"""`python -m tq_halp.doctor`: what is installed, what the machine has, and whether it works.

software    Python and packages        machine     processor, compiler, native library
data_sets   which are on the machine   self_test   results of every op, a step of HALP
finding     the result of one check
"""

import argparse
import json
from collections.abc import Sequence

from tq_halp.commands.doctor.finding import FAILURE, Finding, look
from tq_halp.commands.exit_status import answer

USABLE, BROKEN = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 usable, 1 broken, 2 wrong input.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    options = parser().parse_args(arguments)
    return answer(lambda: _examine(options))


def _examine(options: argparse.Namespace) -> int:
    findings = examine()
    usable = all(finding.status != FAILURE for finding in findings)
    if options.json:
        rows = [finding.to_dict() for finding in findings]
        print(json.dumps({"usable": usable, "findings": rows}, indent=2))
    else:
        _show(findings)
    return USABLE if usable else BROKEN


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp doctor",
        description="Show what is installed, what the machine has, and whether it works.",
        epilog="Exit status: 0 usable, 1 broken (a line says failure), 2 wrong arguments.",
    )
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def examine() -> list[Finding]:
    """All findings; checks that need TensorFlow are left out if it cannot be imported."""
    from tq_halp.commands.doctor import data_sets, machine, self_test, software

    findings = look(software.python, software.package, software.dependencies)
    packages = look(software.tensorflow, software.keras)
    findings += packages + look(machine.processor, machine.memory)
    usable = all(finding.status != FAILURE for finding in packages)
    if usable:
        findings += look(
            machine.compiler,
            machine.native_library,
            machine.linear_engine,
            machine.backend,
            machine.instruction_set,
            machine.graphics,
        )
    findings += look(data_sets.data_sets)
    if not usable:
        return [*findings, Finding("self-test", FAILURE, "not run: it needs TensorFlow and Keras")]
    return findings + look(self_test.ops, self_test.halp, self_test.solver)


def _show(findings: list[Finding]) -> None:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:  # A line of the table says that rich is missing.
        for finding in findings:
            print(f"{finding.status:8} {finding.name}: {finding.found}. {finding.remedy}")
        return
    styles = {"ok": "green", "warning": "yellow", "failure": "bold red"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found, and what helps"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        lines = Text(finding.found)
        if finding.remedy:
            lines.append(f"\n-> {finding.remedy}", "italic")
        table.add_row(Text(finding.status, styles[finding.status]), finding.name, lines)
    Console(highlight=False).print(table)
