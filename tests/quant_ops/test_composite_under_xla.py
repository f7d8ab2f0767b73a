"""The composite compiled by XLA gives the bits that it gives op by op."""

import numpy as np
import pytest
import tensorflow as tf
from carrier_values import DTYPES, forced, from_bits, spread, to_bits

import quant_ops

QUANTIZERS = {
    "fixed_point": lambda x, **how: quant_ops.fixed_point(x, 8, 4, **how),
    # Computed in float64; limits and results among float32's subnormals.
    "fine_steps": lambda x, **how: quant_ops.fixed_point(x, 40, 150, signed=False, **how),
    # XLA too would turn division by a constant into a product.
    "scaled_integer": lambda x, **how: quant_ops.scaled_integer(x, 0.1, 8, **how),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quantize", QUANTIZERS.values(), ids=QUANTIZERS)
def test_same_bits(quantize, dtype):
    x = from_bits(spread(dtype, 40_000, 0.1, seed=1), dtype)
    for rounding, overflow in (("nearest_even", "saturate"), ("stochastic", "wrap")):

        def run(x, rounding=rounding, overflow=overflow):
            return quantize(x, rounding=rounding, overflow=overflow)

        with forced("composite"):
            compiled = tf.function(run, jit_compile=True)(x)
            differ = np.flatnonzero(to_bits(compiled) != to_bits(run(x)))
        assert not len(differ), (len(differ), to_bits(x)[differ[:5]])
