"""Says on which machine something was measured."""

import importlib.metadata
import os
import pathlib
import platform


def machine(load):
    """Processors and versions, and how busy it was: ``os.getloadavg()[0]`` from before."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras")]
    return (
        f"{os.cpu_count()} processors, {names[0] if names else platform.machine()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}; {load:.1f} processes ran when "
        "the measurement began."
    )
