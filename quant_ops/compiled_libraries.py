"""What the compiled libraries have in common: how to get one, and its instruction set here."""

import ctypes
from pathlib import Path

from quant_ops.environment import instruction_set_limit
from quant_ops.format_facts import INSTRUCTION_SETS

REMEDY = "Build it with `python -m quant_ops.build`, or `make ops` in a checkout."


def best_instruction_set(library: Path, *, byte_products: bool, limit: str | None = None) -> str:
    """The one that it takes in a new process: "avx512", "avx2" or "portable".

    Args:
        library: its path.
        byte_products: whether AVX-512 counts only together with VNNI, as for linear models.
        limit: the best one that may be taken; None: what the variable QUANT_OPS_ISA says.

    Raises:
        ValueError: QUANT_OPS_ISA names no instruction set.
    """
    limit = instruction_set_limit() if limit is None else limit
    ask = ctypes.CDLL(str(library)).quant_ops_best_instruction_set
    ask.argtypes, ask.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_char_p
    return ask(limit.encode(), byte_products).decode()


def available_instruction_sets(library: Path, *, byte_products: bool) -> tuple[str, ...]:
    """Those that this machine has, the best first."""
    return tuple(
        name
        for name in INSTRUCTION_SETS
        if best_instruction_set(library, byte_products=byte_products, limit=name) == name
    )
