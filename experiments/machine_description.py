"""The machine on which something was measured: as a sentence, and as facts for ``machine.json``."""

import importlib.metadata
import os
import platform
import subprocess

from tq_halp import processor_info


def machine(load: float) -> str:
    """Processors, versions, and how busy the machine was.

    Args:
        load: ``os.getloadavg()[0]`` from before the measurement.
    """
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras")]
    return (
        f"{os.cpu_count()} processors, {_processor()}; Python {platform.python_version()}, "
        f"{', '.join(versions)}; {load:.1f} processes ran when the measurement began."
    )


def machine_facts(load: float, package: str) -> dict[str, str | int | float]:
    """What speeds depend on besides the sources: processor, system, compiler, a package's version.

    Args:
        load: as for ``machine``.
        package: name of the distribution that is compared with, such as "tensorflow".
    """
    from quant_ops import build

    compiler = subprocess.run([*build.compiler(), "--version"], capture_output=True, text=True)
    return {
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "compiler": compiler.stdout.splitlines()[0],
        package: importlib.metadata.version(package),
        "load_before": round(load, 2),
    }


def _processor():
    return processor_info.model_name() or platform.processor() or platform.machine()
