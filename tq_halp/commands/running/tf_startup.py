"""Starts TensorFlow without its start-up messages, which would bury a one-line error."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from tq_halp.errors import InputError

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def start_tensorflow() -> None:
    """Imports TensorFlow and starts its devices, with standard error redirected meanwhile.

    Its C++ part writes to the file descriptor itself, partly before any log level applies. If the
    start fails, the redirected text is printed. The environment is restored afterwards.

    Raises:
        InputError: QUANT_OPS_BACKEND asks for the native library, and there is none.
    """
    sys.stderr.flush()
    descriptor = os.dup(2)
    with tempfile.TemporaryFile() as aside, _errors_only():
        os.dup2(aside.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()
        except BaseException:
            aside.seek(0)
            os.write(descriptor, aside.read())
            raise
        finally:
            os.dup2(descriptor, 2)
            os.close(descriptor)
    import quant_ops

    try:
        quant_ops.backend()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"QUANT_OPS_BACKEND: {error}") from error


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    """Sets the log level of TensorFlow's C++ part, which reads it once when it starts."""
    if _LEVEL in os.environ:
        yield
        return
    os.environ[_LEVEL] = "2"
    try:
        yield
    finally:
        del os.environ[_LEVEL]
