"""fixed_point against exact rational arithmetic: wide words, special values.

Words of up to 12 bits are in test_fixed_point_exhaustively.py.
"""

import itertools

import numpy as np
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import (
    BACKENDS,
    BITS,
    DTYPES,
    OVERFLOWS,
    expect,
    from_bits,
    spread,
    to_bits,
    to_floats,
)

import quant_ops
from quant_ops.library import forced

SEED, COUNTER = 7, 1 << 40


def check(x: tf.Tensor, word_bits, frac_bits, signed, rounding, overflow):
    """Both backends give the oracle's values, and the same NaN where x is one."""
    dtype = x.dtype.name
    expected = [
        oracle.fixed_point(
            value, dtype, word_bits, frac_bits, signed, rounding, overflow,
            oracle.random_bits(SEED, COUNTER, i) >> 1 if rounding == "stochastic" else 0,
        )
        for i, value in enumerate(to_floats(x))
    ]  # fmt: skip
    for backend in BACKENDS:
        with forced(backend):
            result = quant_ops.fixed_point(
                x, word_bits, frac_bits, signed=signed, rounding=rounding, overflow=overflow,
                seed=SEED, counter=COUNTER,
            )  # fmt: skip
        expect(result, x, expected, backend)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("word_bits", [16, 24, 25, 31, 32, 33, 53, 64])
def test_wide_words_at_their_edges(word_bits, dtype):
    """Around the limits in the carrier's own resolution, over all magnitudes, special values.

    Of signs, roundings and overflows every dtype and fraction length has half of all combinations,
    as a chessboard has black squares: any two of them meet. The next one has the others.
    """
    as_numpy = tf.as_dtype(dtype).as_numpy_dtype
    choices = ((True, False), ("nearest_even", "up", "stochastic"), OVERFLOWS)
    for turn, frac_bits in enumerate((-4, 0, 20, word_bits - 1, 160), DTYPES.index(dtype)):
        edges = np.array([2.0**word_bits, 2.0 ** (word_bits - 1)]) * 2.0**-frac_bits
        with np.errstate(over="ignore"):
            edges = to_bits(np.concatenate([edges, -edges]).astype(as_numpy))
        ulps = np.arange(-2, 3).astype(BITS[dtype])
        with np.errstate(over="ignore"):
            bits = (edges[:, None] + ulps).ravel()
        bits = np.concatenate([bits, spread(dtype, 40, 2.0**-frac_bits, seed=word_bits)])
        x = from_bits(bits, dtype)
        for square in itertools.product(*map(enumerate, choices)):
            if (turn + sum(index for index, _ in square)) % 2:
                check(x, word_bits, frac_bits, *(choice for _, choice in square))


@pytest.mark.parametrize(
    "word_bits, frac_bits, signed, rounding, overflow",
    [
        (4, 22, True, "nearest_away", "saturate"),  # a grid of subnormals
        (12, 0, False, "nearest_up", "wrap"),
    ],
)
def test_every_float16(word_bits, frac_bits, signed, rounding, overflow):
    x = from_bits(np.arange(1 << 16), "float16")
    check(x, word_bits, frac_bits, signed, rounding, overflow)


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits_are_rounded_inwards(backend):
    with forced(backend):
        # 2^31 - 1 has no float32: the next below is 2^31 - 128.
        assert quant_ops.fixed_point(1e30, 32, 0) == 2.0**31 - 128
        assert quant_ops.fixed_point(-1e30, 32, 0) == -(2.0**31)
        assert quant_ops.fixed_point(np.float16(60000), 16, 0, signed=False) == 59968 + 32
        assert quant_ops.fixed_point(np.float16(np.inf), 24, 0, signed=False) == 65504
        # The largest multiple of 2^-160 below 2^-144 that float32 holds is a multiple of 2^-149.
        assert to_floats(quant_ops.fixed_point(1.0, 17, 160)) == 2.0**-144 - 2.0**-149
