"""A process for what needs TensorFlow before the first run.

TensorFlow takes all of a GPU's memory, which the runs need, and keeps it until its process ends.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tq_halp.commands.exit_status import WRONG_INPUT, plain_warnings
from tq_halp.errors import InputError


def serve(answer: Callable[[Any], Any]) -> int:
    """The program that ``ask`` runs; returns the exit status.

    Args:
        answer: a function of what was asked, called once TensorFlow is set up. What it returns is
            printed as JSON, if it is not None. Its InputError is printed.
    """
    with plain_warnings():
        from tq_halp.commands.running.tf_startup import start_tensorflow

        start_tensorflow()
        try:
            found = answer(json.load(sys.stdin))
        except InputError as error:
            print(error)
            return WRONG_INPUT
        if found is not None:
            print(json.dumps(found))
        return 0


def ask(module: str, asked: Any) -> tuple[str, str]:
    """Runs a module as a program.

    Args:
        module: what it does is to ``serve``.
        asked: what its function is called with, as JSON can hold it.

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
