"""Every private name of TensorFlow that the ops use, behind a function for each."""

import tensorflow as tf


def is_compiled_by_xla() -> bool:
    """Whether the graph that is built now belongs to a function with ``jit_compile=True``.

    Why private: TensorFlow compiles such a function after it is traced, and no public name tells
    the Python code that is traced. Holds since TensorFlow 2.18, the
    oldest that quant_ops supports.
    """
    return tf.__internal__.get_enclosing_xla_context() is not None
