"""What the commands share: how they end, what they say of mistakes, options that several have."""

import argparse
import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator

from tq_halp.cpu import check_environment
from tq_halp.errors import InputError, reason

FINISHED, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def answer(
    run: Callable[[], int], *, failed: str | None = None, interrupted: int = INTERRUPTED
) -> int:
    """The exit status of `run`; what ended it otherwise is one line and no traceback.

    Args:
        run: the command; returns its exit status.
        failed: how that line begins for an exception that is no `InputError` (status 1); None lets
            it pass.
        interrupted: the status after Ctrl-C.
    """
    try:
        check_environment()
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


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Show a warning as one line of its own, without the source line that happened to raise it."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        yield


def add_imports(parser: argparse.ArgumentParser) -> None:
    """The option --import MODULE, `imports`, of commands that load a saved model."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        metavar="MODULE",
        dest="imports",
        help="a module that registers classes of the model; may be repeated",
    )
