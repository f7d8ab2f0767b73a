"""The processor: usable cores, and the instruction sets that the compiled ops use on it."""

import os
from collections.abc import Mapping
from pathlib import Path

from tq_halp.errors import InputError

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTION_SETS = ("avx512", "avx2", "portable")
#: The flags of Linux for what quant_ops/cc/core/quantize.cc asks the processor for, ...
OPS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
}
#: ... and for what quant_ops/cc/linear/solver.cc does.
SOLVER = {**OPS, "avx512": {*OPS["avx512"], "avx512_vnni"}}


def usable_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def flags() -> set[str]:
    """The processor's flags in /proc/cpuinfo; none without that file."""
    return set(_values("flags").split())


def model_name() -> str:
    """The processor's name in /proc/cpuinfo; "" without that file."""
    return _values("model name").strip()


def available_sets(needed: Mapping[str, set[str]] = SOLVER) -> tuple[str, ...]:
    """Those of INSTRUCTION_SETS that the processor has, the best first.

    Without /proc/cpuinfo only "portable" is known to be there.
    """
    there = flags()
    return tuple(name for name in INSTRUCTION_SETS if needed[name] <= there)


def instruction_set(needed: Mapping[str, set[str]] = SOLVER) -> str:
    """The one that is taken, as the C++ decides: the best one there is below the limit.

    The limit is the environment variable QUANT_OPS_ISA. The C++ cannot be asked; what the
    processor has is read from /proc/cpuinfo, and "unknown" where there is none.

    Args:
        needed: SOLVER or OPS.

    Raises:
        InputError: QUANT_OPS_ISA names no instruction set.
    """
    limit = _limit()
    allowed = INSTRUCTION_SETS[INSTRUCTION_SETS.index(limit) :]
    if limit != "portable" and not CPUINFO.exists():
        return "unknown"
    return next(name for name in allowed if name in available_sets(needed))


def check_environment() -> None:
    """Checks the environment variables QUANT_OPS_BACKEND and QUANT_OPS_ISA.

    Raises:
        InputError: one has a value that is not valid.
    """
    backend = os.environ.get("QUANT_OPS_BACKEND", "")
    if backend not in ("", "native", "composite"):
        raise InputError(f"QUANT_OPS_BACKEND must be native or composite. Received: {backend!r}")
    _limit()


def _limit() -> str:
    limit = os.environ.get("QUANT_OPS_ISA") or INSTRUCTION_SETS[0]
    if limit not in INSTRUCTION_SETS:
        raise InputError(f"QUANT_OPS_ISA must be portable, avx2 or avx512. Received: {limit!r}")
    return limit


def _values(key: str) -> str:
    """The value in the first line of /proc/cpuinfo for `key`; "" if there is none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() == key)
    return next(found, "")
