"""What a machine gives the solvers for linear models: instructions, and bytes per second."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tq_halp.errors import InputError

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTION_SETS = ("avx512", "avx2", "portable")
#: The flags of Linux that stand for what quant_ops/cc/linear/solver.cc asks the processor for.
NEEDED = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "fma"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
}

READ_BYTES = 1 << 28


def available_sets() -> tuple[str, ...]:
    """Those of INSTRUCTION_SETS that the processor has, the best first.

    Without /proc/cpuinfo only "portable" is known to be there.
    """
    flags = _flags()
    return tuple(name for name in INSTRUCTION_SETS if NEEDED[name] <= flags)


def instruction_set() -> str:
    """The one that the solver takes, as its C++ decides: the best one there is below the limit.

    The limit is the environment variable QUANT_OPS_ISA. The solver cannot be asked; what the
    processor has is read from /proc/cpuinfo, and "unknown" where there is none.

    Raises:
        InputError: QUANT_OPS_ISA names no instruction set.
    """
    limit = os.environ.get("QUANT_OPS_ISA") or INSTRUCTION_SETS[0]
    if limit not in INSTRUCTION_SETS:
        raise InputError(f"QUANT_OPS_ISA must be portable, avx2 or avx512, received {limit!r}")
    allowed = INSTRUCTION_SETS[INSTRUCTION_SETS.index(limit) :]
    if limit != "portable" and not CPUINFO.exists():
        return "unknown"
    return next(name for name in allowed if name in available_sets())


def _flags() -> set[str]:
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


class MemoryReader:
    """Reads 256 MiB in `threads` threads: the rate that a pass over data could have at best.

    Each thread takes the maximum of its part as int32, which NumPy does without the interpreter's
    lock and in wide registers; sums were slower.
    """

    def __init__(self, threads: int):
        self._parts = np.array_split(np.ones(READ_BYTES // 4, np.int32), threads)
        self._pool = ThreadPoolExecutor(threads)
        self.best = 0.0

    def turn(self) -> None:
        """One more reading; the fastest one counts."""
        start = time.perf_counter()
        list(self._pool.map(np.maximum.reduce, self._parts))
        self.best = max(self.best, READ_BYTES / (time.perf_counter() - start))
