"""Number-format quantization as TensorFlow ops: exact, reproducible, straight-through gradient.

    fixed_point(x, word_bits, frac_bits)        a power-of-two step, fixed when the graph is built
    scaled_integer(x, scale, word_bits)         a step given at run time, per tensor or per axis
    backend()                                   "native" (C++) or "composite" (TensorFlow ops)

The two backends give the same bits. `QUANT_OPS_BACKEND=native` or `=composite` forces one.
"""

from quant_ops.library import backend
from quant_ops.ops import fixed_point, scaled_integer

__all__ = ["backend", "fixed_point", "scaled_integer"]
