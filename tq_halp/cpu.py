"""The processor, as Linux describes it: its cores, its name, its flags."""

import os
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def flags() -> set[str]:
    """The processor's flags; none without /proc/cpuinfo."""
    return set(_values("flags").split())


def model_name() -> str:
    """What the processor calls itself, "" without /proc/cpuinfo."""
    return _values("model name").strip()


def _values(key: str) -> str:
    """What the first line of /proc/cpuinfo for `key` says."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() == key)
    return next(found, "")
