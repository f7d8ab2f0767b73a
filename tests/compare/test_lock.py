"""One comparison at a time, however the one before ended."""

import os
import subprocess
import sys
import time

import pytest

from tq_halp import InputError
from tq_halp.commands.compare import folder_lock
from tq_halp.commands.compare.folder_lock import FolderLock

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_second_one_is_refused_at_once(tmp_path):
    start = time.monotonic()
    with (
        FolderLock(tmp_path),
        pytest.raises(InputError, match=f"running there .process {os.getpid()}"),
    ):
        FolderLock(tmp_path).__enter__()
    assert time.monotonic() < start + folder_lock.PATIENCE / 2
    with FolderLock(tmp_path):
        pass


def test_runs_of_a_killed_one_are_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "PATIENCE", 0.3)
    with FolderLock(tmp_path) as held:
        run = subprocess.Popen(SLEEP, pass_fds=[held.descriptor])
    try:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        (tmp_path / "lock").write_text(f"{gone.pid}\n")  # As if the owner had been that process.
        start = time.monotonic()
        with pytest.raises(InputError, match="another comparison"):
            FolderLock(tmp_path).__enter__()
        assert time.monotonic() > start + 0.3
    finally:
        run.kill()
        run.wait()
    with FolderLock(tmp_path):
        pass
