"""Each op once, with ordinary arguments: for what must hold of all of them."""

import numpy as np

import quant_ops

# They take rounding, seed and counter.
ROUNDED = {
    "fixed_point": lambda x, **how: quant_ops.fixed_point(x, 8, 4, **how),
    "scaled_integer": lambda x, **how: quant_ops.scaled_integer(x, np.float32(0.1), 8, **how),
    "minifloat": lambda x, **how: quant_ops.minifloat(x, 4, 3, specials="nan", **how),
    "power_of_two": lambda x, **how: quant_ops.power_of_two(x, -8, 7, **how),
    "block_float": lambda x, **how: quant_ops.block_float(x, 5, block_size=2, **how),
    "mx": lambda x, **how: quant_ops.mx(x, "float4_e2m1fn", block_size=2, **how),
}
LEVELS = {
    "binary": lambda x: quant_ops.binary(x, 0.7),
    "binary, stochastic": lambda x: quant_ops.binary(x, 0.7, rounding="stochastic", counter=5),
    "ternary": lambda x: quant_ops.ternary(x, 0.7, 0.3),
    "ternary, own threshold": lambda x: quant_ops.ternary(x, 0.7),
    "sparse": lambda x: quant_ops.sparse(x, 0.3),
}


def _stochastic(quantize):
    return lambda x: quantize(x, rounding="stochastic", seed=2, counter=3)


EVERY_OP = LEVELS | {name: _stochastic(quantize) for name, quantize in ROUNDED.items()}
EVERY_OP |= {"fixed_point, wrap": lambda x: quant_ops.fixed_point(x, 4, 2, overflow="wrap")}
EVERY_OP |= {"minifloat, infinity": lambda x: quant_ops.minifloat(x, 4, 3, overflow="infinity")}
BLOCKS = [name for name in EVERY_OP if name.startswith(("block_float", "mx"))]
