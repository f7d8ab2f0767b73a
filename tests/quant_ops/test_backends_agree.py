"""native and composite give the same bits, over all magnitudes, signs, NaN, infinities, subnormals.

10^6 values for each dtype x rounding x overflow by default; QUANT_OPS_TEST_VALUES=10000000 for
more.
"""

import os

import numpy as np
import pytest
import tensorflow as tf
from carrier_values import DTYPES, OVERFLOWS, ROUNDINGS, forced, from_bits, spread, to_bits

import quant_ops

VALUES = int(os.environ.get("QUANT_OPS_TEST_VALUES", 1_000_000))
# word_bits, frac_bits, signed: everyday words, one bit, coarse, each compute type, the edges of
# both arguments, limits beyond the carrier, steps below its subnormals.
FIXED_POINT = [
    (8, 6, True), (8, 4, False), (1, 0, True), (16, -3, False), (32, 60, True), (33, 0, False),
    (64, 60, False), (24, 149, True), (53, 160, False), (64, 512, True), (12, -512, False),
]  # fmt: skip
# word_bits, scale, axis: an everyday scale, one bit, a product that rounds, subnormal and huge
# ones, zero, a vector for each axis of [8, ..., 3].
SCALED_INTEGER = [
    (8, 0.1, None), (1, 1e-3, None), (53, 1e-20, None), (32, 3e-40, None), (64, 7e30, None),
    (4, np.array([0.1, 0, 5e-324, 1e-310, 1e300, 2.5, 1e-38, 1]), 0),
    (8, np.array([0.1, 1e-42, 6e-8], np.float32), -1),
]  # fmt: skip


def assert_backends_agree(quantize, bits: np.ndarray, dtype: str):
    """Compares native with the composite, in a graph."""
    x = from_bits(bits, dtype)
    results = []
    for backend in ("native", "composite"):
        with forced(backend):
            results.append(to_bits(tf.function(quantize)(x)))
    differ = np.argwhere(results[0] != results[1])
    assert not len(differ), [
        (len(differ), hex(bits[tuple(i)]), *(hex(result[tuple(i)]) for result in results))
        for i in differ[:5]
    ]


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_fixed_point(dtype, rounding, overflow):
    for i, (word_bits, frac_bits, signed) in enumerate(FIXED_POINT):
        step = 2.0**-frac_bits if abs(frac_bits) < 140 else 1.0
        bits = spread(dtype, VALUES // len(FIXED_POINT), step, seed=i)
        assert_backends_agree(
            lambda x, w=word_bits, f=frac_bits, s=signed, i=i: quant_ops.fixed_point(
                x, w, f, signed=s, rounding=rounding, overflow=overflow, seed=~i, counter=i << 33
            ),
            bits,
            dtype,
        )


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scaled_integer(dtype, rounding, overflow):
    for i, (word_bits, scale, axis) in enumerate(SCALED_INTEGER):
        count = VALUES // len(SCALED_INTEGER) // 24 * 24
        bits = spread(dtype, count, scale if axis is None else 0.1, seed=i)
        scale = np.float64(scale) if axis is None else scale
        assert_backends_agree(
            lambda x, w=word_bits, s=scale, a=axis, i=i: quant_ops.scaled_integer(
                x, s, w, axis=a, rounding=rounding, overflow=overflow, seed=i, counter=-i
            ),
            bits if axis is None else bits.reshape(8, -1, 3),
            dtype,
        )
