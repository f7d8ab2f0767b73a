"""Exit codes of the commands, and one-line messages for errors and warnings."""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator

from quant_ops import environment
from tq_halp.errors import InputError, reason

FINISHED, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def answer(
    run: Callable[[], int], *, failed: str | None = None, interrupted: int = INTERRUPTED
) -> int:
    """Runs a command and returns its exit status; an exception becomes one line on standard error.

    Args:
        run: the command; returns its exit status.
        failed: how the line begins for an exception other than `InputError` (status 1). None: such
            an exception is raised.
        interrupted: the status after Ctrl-C.

    Returns:
        What `run` returns; WRONG_INPUT after an `InputError`.
    """
    try:
        _check_environment()
        return run()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return interrupted
    except Exception as error:
        if failed is None:
            raise
        print(f"{failed}: {type(error).__name__}: {reason(error)}", file=sys.stderr)
        return FAILED


def _check_environment() -> None:
    """Raise InputError if QUANT_OPS_BACKEND or QUANT_OPS_ISA names what there is not."""
    try:
        environment.requested_backend()
        environment.instruction_set_limit()
    except ValueError as error:
        raise InputError(str(error)) from error


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """A context in which warnings are printed as one line, without the source line."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        yield
