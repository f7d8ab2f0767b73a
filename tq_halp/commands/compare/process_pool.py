"""The processes of a comparison: some at a time, one per run, so that one may fail alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tq_halp.commands.compare.compared_run import Run
from tq_halp.processor_info import usable_cores

_POLL = 0.2  # seconds
#: The program of a run's process.
WORKER = "tq_halp.commands.compare.worker_process"


class Wanting(Protocol):
    """What says which runs are needed: a `Comparison`, or an experiment of its own."""

    def wanted(self, is_over: Callable[[Run], bool]) -> list[Run]:
        """The runs that are known to be needed, the first ones first."""


class Observer(Protocol):
    """Is told of the progress."""

    def begun(self, run: Run) -> None:
        """The process of `run` has started."""

    def ended(self, run: Run) -> None:
        """The process of `run` has ended."""

    def update(self, wanted: list[Run]) -> None:
        """Called repeatedly, with the runs that are known to be needed."""


def default_jobs() -> int:
    """Half of the cores that this process may use, at least one."""
    return max(1, usable_cores() // 2)


class Stop(Protocol):
    """Says whether a stop is requested."""

    @property
    def requested(self) -> bool:
        """Asked repeatedly."""


def carry_out(
    comparison: Wanting,
    jobs: int,
    stop: Stop,
    lock_descriptor: int,
    show: Observer,
    worker: str = WORKER,
) -> None:
    """Trains the runs of a comparison that are not final; each is started at most once.

    When a stop is requested, or an exception is raised, the runs write checkpoints first.

    Args:
        jobs: processes at a time; each gets the same number of threads.
        lock_descriptor: of the lock on the folder; the processes inherit it.
        show: is told of the progress.
        worker: the module that a run's process executes, with the run's arguments.
    """
    running: dict[Run, subprocess.Popen] = {}
    ended: set[Run] = set()

    def is_over(run: Run) -> bool:
        return run in ended or run.outcome().is_final

    try:
        wanted = comparison.wanted(is_over)
        waiting = [run for run in wanted if not is_over(run)]
        while (waiting or running) and not stop.requested:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                running[run] = _start(run, jobs, lock_descriptor, worker)
                show.begun(run)
            over = [run for run, process in running.items() if process.poll() is not None]
            for run in over:
                if (pipe := running.pop(run).stdin) is not None:
                    pipe.close()
                ended.add(run)
                show.ended(run)
            if over:
                wanted = comparison.wanted(is_over)
                waiting = [r for r in wanted if r not in running and not is_over(r)]
            show.update(wanted)
            time.sleep(_POLL)
    finally:
        _stop(list(running.values()))


def _start(run: Run, jobs: int, lock_descriptor: int, worker: str) -> subprocess.Popen:
    """Starts the process of a run."""
    run.log.parent.mkdir(exist_ok=True)
    # In its own session, Ctrl-C reaches the comparison alone, which passes on one signal.
    with open(run.log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", worker, *run.arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=_environment(jobs),
            pass_fds=[lock_descriptor],
            start_new_session=True,
        )


def _environment(jobs: int) -> dict[str, str] | None:
    """The environment of the processes, in which they share the cores; None leaves it as it is."""
    if jobs == 1:
        return None
    threads = str(max(1, usable_cores() // jobs))
    shared = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    return {**shared, **os.environ}


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """Terminates the processes, kills them after a third signal, and waits until all have ended."""
    for end in (subprocess.Popen.terminate, subprocess.Popen.terminate, subprocess.Popen.kill):
        for process in processes:
            end(process)
        try:
            for process in processes:
                process.wait()
            return
        except KeyboardInterrupt:
            continue
