"""`tq_halp.compare`: runs the comparison that its arguments ask for, and writes the results."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.commands.compare import budget_plan, check_before_runs, process_pool
from tq_halp.commands.compare.command_line import comparison_of, parser
from tq_halp.commands.compare.folder_lock import FolderLock
from tq_halp.commands.compare.progress_display import Progress
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.run_grid import Comparison
from tq_halp.commands.compare.text_and_tables import Document, Section
from tq_halp.commands.exit_status import FAILED, FINISHED, INTERRUPTED, WRONG_INPUT, answer
from tq_halp.commands.running.interrupt import StopOnSignal
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FAILED", "FINISHED", "INTERRUPTED", "WRONG_INPUT", "comparison_of", "main", "parser"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 1 failed, 2 wrong input, 130 stopped.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "tq_halp.compare", *arguments])
    return answer(lambda: _compare(options, command), failed="failed")


def _compare(options: argparse.Namespace, command: str) -> int:
    from rich.console import Console

    comparison = comparison_of(options)
    jobs = process_pool.default_jobs() if options.jobs is None else options.jobs
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: expected 1 or more")
    comparison.check()
    if options.report_only:
        return _report(comparison, command, Console())
    with contextlib.ExitStack() as stack:
        _make(comparison.folder)
        lock = stack.enter_context(FolderLock(comparison.folder))
        stop = stack.enter_context(StopOnSignal(_announce_stop))
        comparison.check()  # Again: another comparison may have held the lock until now.
        console = Console()
        console.print(f"comparison: {comparison.folder}", highlight=False, soft_wrap=True)
        if comparison.plan is not None:
            plan = budget_plan.table(comparison.plan, comparison.candidates)
            Document("", [Section("Budget", [plan])]).show(console, "Budget")
        if not _check(comparison, stop):
            return INTERRUPTED
        comparison.write_common()
        with Progress(console) as progress:
            process_pool.carry_out(comparison, jobs, stop, lock.descriptor, progress)
        if stop.requested:
            print("to continue, run the same command again", file=sys.stderr)
            return INTERRUPTED
        return _report(comparison, command, console)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--run-dir {folder}: cannot be created: {error.strerror}") from error


def _check(comparison: Comparison, stop: StopOnSignal) -> bool:
    """Checks what remains to be trained; False if a stop was requested meanwhile."""
    wanted = comparison.wanted(lambda run: True)
    left = {run.label: run for run in wanted if not run.outcome().is_final}
    if left:
        print(check_before_runs.check(list(left.values())), end="", file=sys.stderr)
    else:
        print("every run is finished; there is nothing left to train", flush=True)
    return not stop.requested


def _report(comparison: Comparison, command: str, console: "Console") -> int:
    """Writes tables, figures and pages; returns the exit status."""
    from tq_halp.commands.compare import comparison_page, figures, summary_tables

    results = Results(comparison)
    results.write_csv()
    if results.is_empty:
        print("failed: no run finished, so there is nothing to compare", file=sys.stderr)
        for run in results.failed():
            print(f"  {run.name}: {run.reason(results.outcomes[run])}", file=sys.stderr)
        return FAILED
    document = summary_tables.document(results, command)
    document.write_markdown(comparison.folder / "summary.md")
    figures.write(results, comparison.folder / "curves.png")
    comparison_page.write(results, document, comparison.folder / "report.html")
    document.show(console, "Results")
    for name in ("compare.csv", "curves.png", "summary.md", "report.html"):
        path = os.path.join(comparison.folder, name)
        console.print(path, highlight=False, soft_wrap=True)
    if results.has_unfinished:
        print("some runs failed; run the same command again to retry them", file=sys.stderr)
        return FAILED
    return FINISHED


def _announce_stop(name: str) -> None:
    print(
        f"\n{name}: the runs stop after this step and write checkpoints; a second signal stops "
        "them at once",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
