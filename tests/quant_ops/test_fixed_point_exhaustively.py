"""fixed_point with every word of up to 12 bits: all grid points, all ties, and the floats beside.

Expected values come from integers (oracle_arrays), which fractions check on a sample.
"""

import functools
import itertools

import numpy as np
import oracle_arrays
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import (
    BACKENDS,
    BITS,
    DTYPES,
    OVERFLOWS,
    ROUNDINGS,
    expect,
    from_bits,
    to_bits,
    to_floats,
)

import quant_ops
from quant_ops.library import forced

SEED, COUNTER = 1 << 50, -3


@functools.cache
def half_steps(dtype: str, word_bits: int, frac_bits: int) -> tf.Tensor:
    """Every multiple of half a step in the signed and the unsigned range and a little beyond, a few
    whole turns away too, and the dtype's values on both sides of each."""
    count = 2**word_bits
    halves = np.arange(-count - 4, 2 * count + 5)
    turns = np.arange(-9, 10) * count
    points = np.concatenate([halves, turns - 1, turns, turns + 1]) * 2.0 ** (-frac_bits - 1)
    with np.errstate(over="ignore"):
        bits = to_bits(points.astype(tf.as_dtype(dtype).as_numpy_dtype))
    one = BITS[dtype](1)
    bits = np.concatenate([bits, bits + one, bits[points != 0] - one])
    x = from_bits(bits, dtype)
    return x[np.isfinite(to_floats(x))]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_grid_point_and_tie(dtype, rounding):
    """Each dtype and rounding has a third of the cases, the next ones the others."""
    formats = [(w, f) for w in range(1, 13) for f in (-5, 0, w // 2, w + 3)]
    cases = itertools.product((True, False), OVERFLOWS, formats)
    turn = (DTYPES.index(dtype) + ROUNDINGS.index(rounding)) % 3
    for signed, overflow, (word_bits, frac_bits) in itertools.islice(cases, turn, None, 3):
        facts = (word_bits, frac_bits, signed, rounding, overflow)
        x = half_steps(dtype, word_bits, frac_bits)
        bits, given = oracle_arrays.random_bits31(SEED, COUNTER, len(x)), np.asarray(x)
        expected = oracle_arrays.fixed_point(given, *facts, bits)
        for i in range(word_bits, len(x), 1 + len(x) // 5):
            sample = oracle.fixed_point(float(given[i]), dtype, *facts, int(bits[i]))
            assert sample == expected[i], (given[i], facts)
        for backend in BACKENDS:
            with forced(backend):
                result = quant_ops.fixed_point(
                    x, word_bits, frac_bits, signed=signed, rounding=rounding,
                    overflow=overflow, seed=SEED, counter=COUNTER,
                )  # fmt: skip
            expect(result, x, expected, (backend, facts))
