"""TensorFlow without the start-up lines that would bury a one-line error."""

import os
import sys
import tempfile


def start_tensorflow() -> None:
    """Import TensorFlow and start its devices with the process's standard error put aside.

    Its C++ part writes to the descriptor itself, some of it before any log level applies. If the
    start fails, what it wrote is shown after all.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    descriptor = os.dup(2)
    with tempfile.TemporaryFile() as aside:
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
