"""The quantizers written with TensorFlow ops only: the twin of `cc/core/`, bit for bit.

Each step is exact in the compute dtype, or defined to be one IEEE operation, so any correct
evaluation gives the same bits: eager, graph, another device, a compiler that fuses a product into a
sum.
"""

from quant_ops.composite.block_scaled import block_scaled
from quant_ops.composite.fixed_point import fixed_point
from quant_ops.composite.levels import binary, sparse, ternary
from quant_ops.composite.minifloat import minifloat
from quant_ops.composite.rounded_matmul import matmul_fixed_point, matmul_minifloat
from quant_ops.composite.scaled_integer import scaled_integer

__all__ = [
    "binary",
    "block_scaled",
    "fixed_point",
    "matmul_fixed_point",
    "matmul_minifloat",
    "minifloat",
    "scaled_integer",
    "sparse",
    "ternary",
]
