"""`python -m tq_halp.train`: trains what a config file describes."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.commands.exit_status import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    WRONG_INPUT,
    answer,
    plain_warnings,
)
from tq_halp.errors import InputError, reason

if TYPE_CHECKING:
    from tq_halp.commands.running.experiment import Experiment
    from tq_halp.config import Config

__all__ = ["FAILED", "FINISHED", "INTERRUPTED", "WRONG_INPUT", "main", "parser"]

_EXIT = {"finished": FINISHED, "failed": FAILED, "interrupted": INTERRUPTED}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 1 failed, 2 wrong input, 130 stopped.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    options = parser().parse_args(arguments)
    with plain_warnings():
        return answer(lambda: _train(options))


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp train",
        description="Train what a config file describes, and write a run directory.",
        epilog="Exit status: 0 done, 1 the run failed, 2 wrong input, 130 stopped by a signal.",
    )
    add = made.add_argument
    add("--config", required=True, metavar="FILE", help="YAML file, e.g. configs/lstm_ptb.yaml")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, e.g. --set algorithm.name=lp_sgd; may be repeated",
    )
    add("--seed", type=int, metavar="N", help="the same as --set seed=N")
    add("--run-dir", metavar="DIR", help="default: runs/<config>-<algorithm>-seed<N>-<time>")
    add(
        "--resume",
        action="store_true",
        help="continue the run in DIR, or start it if there is none",
    )
    add("--track", default="", metavar="NAME,...", help="also write to tensorboard, mlflow")
    add("--dry-run", action="store_true", help="show what would run and its cost; write nothing")
    return made


def _train(options: argparse.Namespace) -> int:
    # What needs TensorFlow is imported once the config is known to be right: a typo is answered
    # at once.
    from tq_halp import config as configs, data
    from tq_halp.commands.running import experiment_trackers, resumable_run
    from tq_halp.commands.running.run_directory import alone, check_free
    from tq_halp.commands.running.tf_startup import start_tensorflow

    config = configs.load(options.config, options.overrides, options.seed)
    if options.resume and not options.run_dir:
        raise InputError("--resume: needs --run-dir, the folder of the run to continue")
    tracked = experiment_trackers.names(options.track)
    path = Path(options.run_dir or _default_run_dir(options.config, config))
    if not options.resume:
        check_free(path)
    dataset = data.load(config.data)
    found = resumable_run.found_in(path, config, dataset) if options.resume else None
    if found == resumable_run.FINISHED:
        print(f"the run in {path} is finished; there is nothing left to do")
        return FINISHED
    start_tensorflow()
    from tq_halp.commands.running import experiment as experiments

    experiment = experiments.build(config, dataset)
    if options.dry_run:
        return _show(experiment)
    with alone(path):
        return _carry_out(experiment, path, found, tracked)


def _show(experiment: "Experiment") -> int:
    """Prints the plan of a dry run."""
    from tq_halp.commands.running import terminal_output

    try:
        terminal_output.print_plan(experiment)
    except Exception as error:  # The first steps may raise anything, as in a run.
        print(f"error: the run would fail: {reason(error)}", file=sys.stderr)
        return FAILED
    return FINISHED


def _carry_out(
    experiment: "Experiment", path: Path, found: str | None, tracked: Sequence[str]
) -> int:
    """Trains or resumes in the folder `path`; returns the exit status.

    Args:
        found: what `resumable_run.found_in` says about the folder; None without --resume.
        tracked: names of trackers.
    """
    from tq_halp.commands.running import experiment_trackers, resumable_run, terminal_output
    from tq_halp.commands.running.interrupt import StopOnSignal
    from tq_halp.commands.running.run import checkpoints_of, execute
    from tq_halp.commands.running.run_directory import RunDirectory

    resume = found == resumable_run.STARTED
    known = resumable_run.KNOWN if found == resumable_run.NOTHING else ()
    run = RunDirectory(path, resume=resume, known=known)
    if found == resumable_run.NOTHING:
        print(f"no run to continue in {path}; a new one starts", flush=True)
    print(f"run directory: {run.path}", flush=True)
    start = checkpoints_of(experiment, run).newest() if resume else None
    if start is not None:
        print(f"continuing after step {start.total_steps}", flush=True)
    followers = experiment_trackers.follow(run, tracked, experiment.config)
    trainer = experiment.trainer
    # During a snapshot, a long pass over the data, no weight changes: it may be interrupted.
    with StopOnSignal(_announce_stop, may_stop_now=lambda: trainer.loop.is_taking_snapshot) as stop:
        verbose = 1 if sys.stdout.isatty() else 2
        summary = execute(experiment, run, stop, verbose, start)
    followers.finish(run, summary["status"])
    terminal_output.print_summary(summary, run)
    if summary["status"] == "failed":
        print(f"error: the run failed: {summary['error']}; see {run.path}", file=sys.stderr)
    if summary["status"] == "interrupted":
        print(f"to continue, add --run-dir {run.path} --resume", file=sys.stderr)
    return _EXIT[summary["status"]]


def _default_run_dir(config_path: str, config: "Config") -> str:
    now = time.strftime("%Y%m%d-%H%M%S")
    return f"runs/{Path(config_path).stem}-{config.algorithm.title}-seed{config.seed}-{now}"


def _announce_stop(name: str) -> None:
    print(
        f"\n{name}: stopping after this step, then writing the run directory; a second signal "
        "stops at once",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
