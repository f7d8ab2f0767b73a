"""What the environment's variables ask of the ops; TensorFlow is not imported."""

import os

from quant_ops.format_facts import BACKENDS, INSTRUCTION_SETS


def requested_backend() -> str:
    """The value of QUANT_OPS_BACKEND, "" where it asks for none.

    Raises:
        ValueError: it is no backend.
    """
    name = os.environ.get("QUANT_OPS_BACKEND", "")
    if name not in ("", *BACKENDS):
        raise ValueError(f"QUANT_OPS_BACKEND must be native or composite. Received: {name!r}")
    return name


def instruction_set_limit() -> str:
    """The value of QUANT_OPS_ISA, the best instruction set that may be taken; "" without a limit.

    Raises:
        ValueError: it is no instruction set.
    """
    limit = os.environ.get("QUANT_OPS_ISA", "")
    if limit not in ("", *INSTRUCTION_SETS):
        raise ValueError(f"QUANT_OPS_ISA must be portable, avx2 or avx512. Received: {limit!r}")
    return limit
