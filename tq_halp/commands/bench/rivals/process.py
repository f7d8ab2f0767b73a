"""A race in a process of its own: libraries count the processors when they are loaded."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

WORKER = f"{__package__}.worker"
#: The variables by which BLAS and OpenMP learn how many threads to start.
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def rows(name: str, threads: int, scale: float) -> Iterator[dict[str, Any]]:
    """The rows of a worker process, as they come; none where the data are not to be had.

    Raises:
        RuntimeError: the process fails.
    """
    command = [sys.executable, "-m", WORKER, name, str(threads), str(scale)]
    environment = os.environ | dict.fromkeys(LIMITS, str(threads))
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            yield from map(json.loads, worker.stdout)
        except BaseException:  # Ctrl-C, which the worker leaves to this process
            worker.kill()
            raise
    if worker.returncode:
        raise RuntimeError(f"the race of {name} with {threads} threads ended with an error")
