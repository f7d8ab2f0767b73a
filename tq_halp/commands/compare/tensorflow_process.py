"""A process for what needs TensorFlow before the first run.

TensorFlow takes all of a GPU's memory, which the runs need, and keeps it until its process ends.
"""

import json
import subprocess
import sys
from typing import Any

from tq_halp.commands.exit_status import WRONG_INPUT
from tq_halp.errors import InputError


def ask(module: str, asked: Any) -> tuple[str, str]:
    """Runs a module as a program.

    Args:
        module: it reads JSON from standard input. For wrong input it prints one message and ends
            with WRONG_INPUT.
        asked: what it reads.

    Returns:
        Its standard output, and the text of its warnings.

    Raises:
        InputError: with its message.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C must reach the comparison alone.
    )
    if done.returncode == WRONG_INPUT:
        raise InputError(done.stdout.strip())
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout, done.stderr
