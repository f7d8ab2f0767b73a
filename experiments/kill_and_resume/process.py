"""Runs of the train command in processes that can be killed at a chosen moment.

TensorFlow takes seconds to import and has no threads until its first operation: it is imported
once, here, and every run is a fork of this process, which itself never computes anything.
"""

import mmap
import os
import signal
import struct
import sys
import time
import warnings

import keras  # noqa: F401
import matplotlib.figure  # noqa: F401

from tq_halp.algorithms import Trainer
from tq_halp.algorithms.snapshots import Snapshots
from tq_halp.commands import train
from tq_halp.commands.running import checkpoint_format, run
from tq_halp.commands.running.run_directory import RunDirectory

#: What a run is doing, and where in the code that begins and ends.
PHASES = ("start", "step", "snapshot", "evaluation", "checkpoint", "row", "end")
_RECORD = struct.Struct("qd")  # how often a phase began, its seconds in all


class Watch:
    """Memory shared with a run: the phase it is in, how often each began and how long it took."""

    def __init__(self):
        self._memory = mmap.mmap(-1, 4096)
        self._outer = []

    def clear(self):
        self._memory[:] = bytes(4096)

    @property
    def phase(self):
        return PHASES[self._memory[0]]

    @property
    def failed_phase(self):
        """Where the first error of the operating system came from."""
        return PHASES[self._memory[1]]

    def record(self, phase):
        return _RECORD.unpack_from(self._memory, 16 * (1 + PHASES.index(phase)))

    def _write(self, phase, count, seconds):
        _RECORD.pack_into(self._memory, 16 * (1 + PHASES.index(phase)), count, seconds)

    def enter(self, phase):
        count, seconds = self.record(phase)
        self._outer.append((self.phase, phase, time.perf_counter()))
        self._memory[0] = PHASES.index(phase)
        self._write(phase, count + 1, seconds)

    def leave(self):
        former, phase, start = self._outer.pop()
        count, seconds = self.record(phase)
        self._write(phase, count, seconds + time.perf_counter() - start)
        self._memory[0] = PHASES.index(former)

    def watch(self, owner, name, phase):
        """Have every call of a function be a phase."""
        function = getattr(owner, name)

        def watched(*args, **kwargs):
            self.enter(phase)
            try:
                return function(*args, **kwargs)
            except OSError:
                self._memory[1] = self._memory[1] or PHASES.index(phase)
                raise
            finally:
                self.leave()

        setattr(owner, name, watched)

    def watch_all(self):
        """In the run's own process."""
        self.watch(Snapshots, "take", "snapshot")
        self.watch(Trainer, "evaluate", "evaluation")
        self.watch(checkpoint_format, "write", "checkpoint")
        self.watch(run, "_finish", "end")
        self.watch(RunDirectory, "save_model", "end")
        self.watch(run, "plot_curves", "end")
        self.watch(RunDirectory, "write_rows", "row")
        make_train_function = Trainer.make_train_function

        def make_watched(trainer, force=False):
            if trainer.train_function is None or force:
                make_train_function(trainer, force)
                self.watch(trainer, "train_function", "step")

        Trainer.make_train_function = make_watched
        self.enter("start")


class Process:
    """The train command with `arguments`, its output in the file `log`."""

    def __init__(self, arguments, log, watch):
        self._watch = watch
        watch.clear()
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking with threads; there are none
            self._pid = os.fork()
        if self._pid == 0:
            self._run(arguments, log)

    def _run(self, arguments, log):
        status = 70
        try:
            with open(log, "w", encoding="utf-8") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            self._watch.watch_all()
            status = train.main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def kill(self, number, phase, occurrence, delay):
        """Send a signal `delay` seconds after the phase began for the n-th time.

        Returns:
            The exit status, negative for a death by signal, and the phase of the end.
        """
        while self._watch.record(phase)[0] < occurrence:
            if self._ended():
                return self.wait(), "end"
            time.sleep(2e-4)
        time.sleep(delay)
        if not self._ended():
            phase = self._watch.phase
            os.kill(self._pid, number)
            if number == signal.SIGKILL:
                self.wait()
                phase = self._watch.phase
        return self.wait(), phase

    def _ended(self):
        if self._pid:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._pid, self._status = 0, os.waitstatus_to_exitcode(status)
        return not self._pid

    def wait(self):
        """The exit status."""
        while not self._ended():
            time.sleep(2e-3)
        return self._status
