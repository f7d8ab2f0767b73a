"""Number-format quantization as TensorFlow ops: exact, reproducible, straight-through gradient.

    fixed_point(x, word_bits, frac_bits)            a power-of-two step, fixed with the graph
    scaled_integer(x, scale, word_bits)             a step given at run time, per tensor or per axis
    minifloat(x, exponent_bits, mantissa_bits)      a small floating-point format
    power_of_two(x, min_exponent, max_exponent)     0 and +-2^e
    block_float(x, word_bits, block_size=...)       integers that share an exponent per block
    mx(x, element)                                  OCP microscaling: small floats, a shared scale
    binary(x, level), ternary(x, level, threshold)  +-level; +-level or 0
    sparse(x, threshold)                            x, or 0 where it is small
    matmul_rounded(a, b, format, every=k)           a product, its sum rounded every k terms
    LinearSolver(x, targets, loss=...)              HALP for linear models, in integers
    backend()                                       "native" (C++) or "composite" (TensorFlow ops)
    forced("composite")                             a context in which ops are built for a backend

The two backends of the quantizers give the same bits; `QUANT_OPS_BACKEND=native` or `=composite`
forces one. The solver has an engine of its own, which needs no TensorFlow. A graph with native ops,
saved, loads only where quant_ops is; one that is built under `forced("composite")` loads wherever
TensorFlow is.

The names are imported on first use (PEP 562), so that `import quant_ops.format_facts` does not wait
for TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant_ops.library import backend, forced
    from quant_ops.linear import LinearSolver
    from quant_ops.ops import (
        binary,
        block_float,
        fixed_point,
        matmul_rounded,
        minifloat,
        mx,
        power_of_two,
        scaled_integer,
        sparse,
        ternary,
    )

__all__ = [
    "LinearSolver",
    "backend",
    "binary",
    "block_float",
    "fixed_point",
    "forced",
    "matmul_rounded",
    "minifloat",
    "mx",
    "power_of_two",
    "scaled_integer",
    "sparse",
    "ternary",
]

_ELSEWHERE = {
    "backend": "quant_ops.library",
    "forced": "quant_ops.library",
    "LinearSolver": "quant_ops.linear",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'quant_ops' has no attribute {name!r}")
    home = _ELSEWHERE.get(name, "quant_ops.ops")
    found = globals()[name] = getattr(importlib.import_module(home), name)
    return found


def __dir__() -> list[str]:
    return __all__
