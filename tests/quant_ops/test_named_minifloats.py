"""Every float16, rounded to every named minifloat, against ml_dtypes, gfloat and integers only.

65,536 values with both zeros, subnormals, infinities and each NaN; also as float32: half of the
formats, and for the next rounding the others.
"""

import gfloat
import ml_dtypes
import numpy as np
import oracle_arrays
import oracle_floats
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import BACKENDS, ROUNDINGS, expect, from_bits, to_floats
from named_minifloats import NAMED

from quant_ops.library import forced

GFLOAT_ROUNDINGS = {
    "nearest_even": gfloat.RoundMode.TiesToEven,
    "nearest_away": gfloat.RoundMode.TiesToAway,
    "toward_zero": gfloat.RoundMode.TowardZero,
    "up": gfloat.RoundMode.TowardPositive,
    "down": gfloat.RoundMode.TowardNegative,
}
SEED, COUNTER = -7, 1 << 40
BITS31 = oracle_arrays.random_bits31(SEED, COUNTER, 1 << 16)


@pytest.fixture(params=["float16", "float32"])
def x(request):
    return tf.cast(from_bits(np.arange(1 << 16), "float16"), request.param)


def expect_of_both(format, x: tf.Tensor, expected, name: str, **how) -> None:
    """Both backends give what is expected: the libraries take longer than the ops."""
    for backend in BACKENDS:
        with forced(backend):
            result = format.quantize(x, **how)
        expect(result, x, expected, (backend, name, how))


def turn(x: tf.Tensor, rounding: str):
    """Half of the named formats: the others are for the other dtype of x and the next rounding."""
    first = (ROUNDINGS.index(rounding) + (x.dtype == tf.float32)) % 2
    return list(NAMED.items())[first::2]


def overflows(format):
    return ("saturate",) if format.specials == "none" else ("saturate", "infinity")


def held(expected: np.ndarray, x: tf.Tensor, format, overflow: str) -> np.ndarray:
    """`expected` knows the format's largest number, x's dtype may hold less: 2^16 is a bfloat16 and
    no float16."""
    limit = float(oracle_floats.largest_held(format.grid(), oracle.DTYPES[x.dtype.name]))
    beyond = limit if overflow == "saturate" else np.inf
    return np.where(np.abs(expected) > limit, np.copysign(beyond, expected), expected)


IN_NUMPY = {name: format for name, format in NAMED.items() if format.dtype}


def test_ml_dtypes(x):
    given = np.asarray(to_floats(x))
    for name, format in IN_NUMPY.items():
        largest = float(ml_dtypes.finfo(format.dtype).max)
        for overflow in overflows(format):
            clipped = np.clip(given, -largest, largest) if overflow == "saturate" else given
            clipped = np.where(np.isnan(given), 0, clipped)  # not every one of these dtypes has NaN
            with np.errstate(over="ignore"):
                expected = clipped.astype(format.dtype).astype(np.float64)
            expected = np.where(np.isnan(given), given, held(expected, x, format, overflow))
            expect_of_both(format, x, expected, name, overflow=overflow)


@pytest.mark.parametrize("rounding", GFLOAT_ROUNDINGS)
def test_gfloat(rounding, x):
    given, mode = np.asarray(to_floats(x)), GFLOAT_ROUNDINGS[rounding]
    for name, format in turn(x, rounding):
        for overflow in overflows(format):
            expected = gfloat.round_ndarray(format.gfloat(), given, mode, overflow == "saturate")
            expected = held(expected, x, format, overflow)
            expect_of_both(format, x, expected, name, rounding=rounding, overflow=overflow)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_integers(rounding, x):
    """What the libraries do not define: the other roundings, no subnormals, stochastic bits."""
    given = np.asarray(x)
    for name, format in turn(x, rounding):
        for subnormals, overflow in ((True, "saturate"), (False, overflows(format)[-1])):
            how = {"rounding": rounding, "overflow": overflow}
            grid = format.grid(subnormals)
            expected = oracle_arrays.minifloat(given, grid, bits31=BITS31, **how)
            how |= {"subnormals": subnormals, "seed": SEED, "counter": COUNTER}
            expect_of_both(format, x, expected, name, **how)


def test_every_code_is_on_the_grid():
    """Each finite number of the NumPy dtype stays what it is, whatever the rounding."""
    for name, format in IN_NUMPY.items():
        width = 1 + format.exponent_bits + format.mantissa_bits
        codes = np.arange(1 << width, step=1 if width <= 16 else 99_991)
        kind = {8: np.uint8, 16: np.uint16, 32: np.uint32}[8 * np.dtype(format.dtype).itemsize]
        with np.errstate(invalid="ignore"):  # signalling NaN
            numbers = codes.astype(kind).view(format.dtype).astype(np.float64)
        x = tf.constant(numbers[np.isfinite(numbers)], tf.float64)
        for rounding in ROUNDINGS:
            expect_of_both(format, x, to_floats(x), name, rounding=rounding)
