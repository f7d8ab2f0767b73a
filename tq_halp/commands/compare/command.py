"""The command line of `tq_halp.compare`: parses it, runs the comparison, writes the results."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.commands.compare import check_before_runs, process_pool
from tq_halp.commands.compare.candidates import chosen_by, concerning, parse, shared
from tq_halp.commands.compare.folder_lock import FolderLock
from tq_halp.commands.compare.progress_display import Progress
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.run_grid import Comparison, default_folder
from tq_halp.commands.exit_status import FAILED, FINISHED, INTERRUPTED, WRONG_INPUT, answer
from tq_halp.commands.running.interrupt import StopOnSignal
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from tq_halp.config import Config

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


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp compare",
        description="Train with several algorithms and several seeds, and compare the results: "
        "compare.csv, curves.png, summary.md and report.html in a folder. Repeat the command "
        "to continue where it was stopped.",
        epilog="Exit status: 0 done, even if runs diverged; 1 a run failed otherwise, or "
        "no run finished; 2 wrong input; 130 stopped by a signal.",
    )
    add = made.add_argument
    add("--config", required=True, metavar="FILE", help="YAML file, e.g. configs/lstm_ptb.yaml")
    add(
        "--algorithms",
        default="halp,lp_sgd,svrg,sgd",
        metavar="[LABEL=]NAME,...",
        help="the candidates (halp,lp_sgd,svrg,sgd); with labels: halp8=halp,halp4=halp",
    )
    add(
        "--seeds",
        default="0,1,2",
        metavar="N,...",
        help="one run of each candidate per seed (0,1,2)",
    )
    add("--run-dir", metavar="DIR", help="default: runs/compare-<config>")
    add(
        "--set",
        action="append",
        default=[],
        metavar="[LABEL.]KEY=VALUE",
        dest="sets",
        help="set a key for all, or for one label: train.epochs=4, halp.mu=0.01; repeatable",
    )
    add(
        "--tune",
        action="append",
        default=[],
        metavar="[LABEL.]KEY=VALUE,...",
        help="try each value and use the best; repeatable",
    )
    add("--tune-seeds", metavar="N,...", help="seeds of the tuning runs (the first of --seeds)")
    add(
        "--tune-by",
        choices=("final", "best"),
        default="final",
        help="tune by the validation loss after the last epoch, or by the lowest one (final)",
    )
    add(
        "--baseline",
        metavar="LABEL",
        help="the candidate that the others are compared with (the first)",
    )
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="number of parallel runs, which share the cores (half the number of cores)",
    )
    add(
        "--report-only",
        action="store_true",
        help="train nothing; write the results of the existing runs",
    )
    return made


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
        if not _check(comparison, stop):
            return INTERRUPTED
        comparison.write_common()
        with Progress(console) as progress:
            process_pool.carry_out(comparison, jobs, stop, lock.descriptor, progress)
        if stop.requested:
            print("to continue, run the same command again", file=sys.stderr)
            return INTERRUPTED
        return _report(comparison, command, console)


def comparison_of(options: argparse.Namespace) -> Comparison:
    """The comparison that the command's arguments ask for.

    Raises:
        InputError: one of them is wrong.
    """
    common = shared(options.sets, options.algorithms)
    candidates = parse(options.algorithms, options.sets, options.tune)
    seeds = _seeds("--seeds", options.seeds)
    tune_seeds = options.tune_seeds
    labels = [candidate.label for candidate in candidates]
    baseline = labels[0] if options.baseline is None else options.baseline
    if baseline not in labels:
        raise InputError(f"--baseline {baseline}: no such label; known: {', '.join(labels)}")
    return Comparison(
        folder=Path(options.run_dir or default_folder(options.config)),
        config_path=options.config,
        shared=tuple(common),
        common=tuple(_common(options.config, candidates[0].beside, common)),
        candidates=candidates,
        seeds=seeds,
        tune_seeds=seeds[:1] if tune_seeds is None else _seeds("--tune-seeds", tune_seeds),
        tune_by=options.tune_by,
        baseline=baseline,
    )


def _common(
    config_path: str, algorithms: Sequence[str], shared: Sequence[str]
) -> Iterator["Config"]:
    """The config with the settings for all candidates, for each algorithm."""
    from tq_halp import config as configs

    for algorithm in algorithms:
        chosen = chosen_by([*algorithms, algorithm])
        yield configs.load(config_path, [*chosen, *concerning(algorithm, shared)])


def _seeds(option: str, text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text}: expected whole numbers, e.g. 0,1,2") from error
    if len(set(seeds)) < len(seeds):
        raise InputError(f"{option} {text}: expected different seeds")
    return seeds


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
