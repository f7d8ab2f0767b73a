"""The rate at which threads can read memory, in bytes per second: the bound of a pass over data."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

READ_BYTES = 1 << 28


class MemoryReader:
    """Reads 256 MiB in `threads` threads, in turn with the solvers.

    Each thread takes the maximum of its part as int32. NumPy does that without the interpreter's
    lock and in wide registers; sums were slower.
    """

    def __init__(self, threads: int):
        self._parts = np.array_split(np.ones(READ_BYTES // 4, np.int32), threads)
        self._pool = ThreadPoolExecutor(threads)
        self.best = 0.0

    def turn(self) -> None:
        """Reads once more; `best` is the rate of the fastest reading, in bytes per second."""
        start = time.perf_counter()
        list(self._pool.map(np.maximum.reduce, self._parts))
        self.best = max(self.best, READ_BYTES / (time.perf_counter() - start))
