"""The versions that a run's numbers depend on."""

import platform
import subprocess
from pathlib import Path


def provenance() -> dict:
    """Versions, quant_ops' backend, and the git revision of the source (None outside a clone)."""
    import keras
    import numpy
    import tensorflow

    import quant_ops
    import tq_halp

    return {
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tensorflow.__version__,
            "keras": keras.__version__,
            "numpy": numpy.__version__,
            "tq_halp": tq_halp.__version__,
        },
        "quant_ops_backend": quant_ops.backend(),
        "git_revision": git_revision(Path(__file__)),
    }


def git_revision(file: Path) -> str | None:
    """The commit of the repository that tracks `file`, "-dirty" if tracked files differ.

    None if git does not track `file`: an installed copy may lie in another repository.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)
        revision = git("rev-parse", "HEAD")
        return revision + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
