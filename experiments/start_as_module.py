"""Starts a script of the experiments again, as ``python -m experiments.NAME.run``.

``python experiments/NAME/run.py`` makes Python search the script's own folder, so the script cannot
import ``experiments``. It therefore runs this file first, by its path.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def start_as_module(script: str) -> None:
    """Replace this process by one that runs ``script`` as a module, from the same directory."""
    module = ".".join(Path(script).resolve().relative_to(ROOT).with_suffix("").parts)
    search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search)}
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)
