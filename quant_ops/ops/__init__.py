"""The public ops, one module per family: argument checks, then the backend's arithmetic."""

from quant_ops.ops.block_formats import block_float, mx
from quant_ops.ops.float_formats import minifloat, power_of_two
from quant_ops.ops.level_formats import binary, sparse, ternary
from quant_ops.ops.matmul import matmul_rounded
from quant_ops.ops.uniform_grids import fixed_point, scaled_integer

__all__ = [
    "binary",
    "block_float",
    "fixed_point",
    "matmul_rounded",
    "minifloat",
    "mx",
    "power_of_two",
    "scaled_integer",
    "sparse",
    "ternary",
]
