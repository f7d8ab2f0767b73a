"""The composite backend: the quantizers in TensorFlow ops only, with the same bits as `cc/core/`.

Each step is exact in the compute dtype, or defined to be one IEEE operation. So every correct
evaluation gives the same bits: eager or graph, on any device, also by a compiler that fuses a
product into a sum.
"""

from quant_ops.composite.block_scaled import block_scaled
from quant_ops.composite.dynamic_scale import dynamic_scale
from quant_ops.composite.fixed_point import fixed_point
from quant_ops.composite.levels import binary, sparse, ternary
from quant_ops.composite.minifloat import minifloat
from quant_ops.composite.rounded_matmul import matmul_fixed_point, matmul_minifloat
from quant_ops.composite.scaled_integer import scaled_integer

__all__ = [
    "binary",
    "block_scaled",
    "dynamic_scale",
    "fixed_point",
    "matmul_fixed_point",
    "matmul_minifloat",
    "minifloat",
    "scaled_integer",
    "sparse",
    "ternary",
]
