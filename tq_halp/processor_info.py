"""The processor, as Linux describes it: its cores, its name, its flags."""

import os
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


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


def _values(key: str) -> str:
    """The value in the first line of /proc/cpuinfo for `key`; "" if there is none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() == key)
    return next(found, "")
