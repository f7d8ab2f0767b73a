"""minifloat and power_of_two against exact arithmetic, over formats, dtypes and roundings."""

import functools
import itertools

import numpy as np
import oracle_arrays
import oracle_floats
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import (
    BACKENDS,
    BITS,
    DTYPES,
    ROUNDINGS,
    expect,
    from_bits,
    spread,
    to_bits,
    to_floats,
)

import quant_ops
from quant_ops.library import forced

SEED, COUNTER = 7, -(1 << 40)
# Arguments of minifloat. The usual ones; no mantissa; one exponent bit; exponents at both ends of
# what is allowed, so beyond the largest or below the smallest number of some dtypes.
FORMATS = [
    {"exponent_bits": e, "mantissa_bits": m, "specials": specials, "exponent_bias": bias}
    for e, m, specials, bias in (
        (4, 3, "nan", None), (5, 2, "ieee", None), (3, 4, "fnuz", None), (2, 1, "none", None),
        (5, 0, "ieee", None), (4, 0, "nan", 6), (3, 0, "fnuz", None), (7, 0, "none", 0),
        (1, 3, "none", None), (1, 0, "none", 0), (1, 2, "nan", 3), (1, 5, "fnuz", None),
        (8, 23, "ieee", None), (8, 10, "ieee", None), (5, 23, "none", -90), (2, 7, "nan", 127),
        (3, 12, "ieee", -13), (5, 10, "fnuz", None),
    )
]  # fmt: skip
# The last lies beyond what three of the four dtypes can hold, the last but one below.
EXPONENTS = [(-4, 3), (0, 0), (-126, 127), (-20, -20), (5, 512), (-512, -300), (130, 140)]


@functools.cache
def landmarks(grid: oracle_floats.Grid, dtype: str) -> tf.Tensor:
    """Numbers of the grid near its ends and some between, the quarter points around each, and the
    floats beside those; both signs. Then values of every magnitude, and special ones."""
    unit = grid.mantissa_bits - grid.min_exponent
    last = oracle_floats.code(grid.largest, grid.mantissa_bits, 1 - grid.min_exponent)
    near = [0, 2**grid.mantissa_bits, last]
    codes = {c for n in near for c in range(n - 3, n + 4) if c >= 0}
    codes |= {int(c) for c in np.linspace(0, last, 12)}
    points = []
    for code in sorted(codes):
        low, high = (
            oracle_floats.decode(c, grid.mantissa_bits, 1 - grid.min_exponent)
            for c in (code, code + 1)
        )
        points += [low + (high - low) * quarter / 4 for quarter in range(4)]
    points += [oracle.Fraction(2) ** -(unit + 2), grid.largest * 3]
    numbers = np.array([float(p) for p in points if p < 2**1023])
    with np.errstate(over="ignore"):
        bits = to_bits(numbers.astype(tf.as_dtype(dtype).as_numpy_dtype))
    one = BITS[dtype](1)
    bits = np.concatenate([bits, bits + one, bits[bits != 0] - one])
    sign = BITS[dtype](1 << 8 * bits.itemsize - 1)
    return from_bits(np.concatenate([bits, bits | sign, spread(dtype, 60, 1.0, seed=1)]), dtype)


def check(x: tf.Tensor, grid: oracle_floats.Grid, quantize, rounding: str, overflow="saturate"):
    """All values against the array oracle, and that one on a sample against the scalar oracle."""
    carrier, bits = oracle.DTYPES[x.dtype.name], oracle_arrays.random_bits31(SEED, COUNTER, len(x))
    expected = oracle_arrays.minifloat(np.asarray(x), grid, rounding, overflow, bits)
    given = to_floats(x)
    for i in range(ROUNDINGS.index(rounding), len(given), 11):
        sample = oracle_floats.quantize(given[i], carrier, grid, rounding, overflow, bits[i])
        assert repr(sample) == repr(expected[i].item()), (given[i], grid, rounding, overflow)
    for backend in BACKENDS:
        with forced(backend):
            result = quantize(x, rounding=rounding, overflow=overflow, seed=SEED, counter=COUNTER)
        expect(result, x, expected, (backend, grid, rounding, overflow))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_minifloat(dtype, rounding):
    """Half of the formats without subnormals, the others with them; the next rounding and the next
    dtype the other way round. Each with every overflow that it has."""
    turn = DTYPES.index(dtype) + ROUNDINGS.index(rounding)
    for i, format in enumerate(FORMATS, turn):
        arguments = format | {"subnormals": bool(i % 2)}
        grid = oracle_floats.minifloat_grid(**arguments)
        x = landmarks(grid, dtype)
        for overflow in ("saturate", "infinity")[: 1 if format["specials"] == "none" else 2]:
            check(x, grid, functools.partial(quant_ops.minifloat, **arguments), rounding, overflow)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_two(dtype, rounding):
    for exponents in EXPONENTS:
        grid = oracle_floats.power_of_two_grid(*exponents)
        quantize = functools.partial(
            quant_ops.power_of_two, min_exponent=exponents[0], max_exponent=exponents[1]
        )
        check(landmarks(grid, dtype), grid, quantize, rounding)


def formats():
    """Every combination of bits, specials and subnormals that minifloat takes."""
    for e, m, specials, subnormals in itertools.product(
        range(1, 9), (0, 1, 2, 5, 11, 23), ("ieee", "nan", "fnuz", "none"), (True, False)
    ):
        one_exponent_is_left = e > 1 or specials in ("fnuz", "none") or (specials == "nan" and m)
        float32_holds_it = e < 8 or specials == "ieee" or (specials == "nan" and not m)
        if one_exponent_is_left and float32_holds_it:
            names = ("exponent_bits", "mantissa_bits", "specials", "subnormals")
            yield dict(zip(names, (e, m, specials, subnormals), strict=True))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_combination(rounding):
    """Each with every other rounding; the dtypes take turns; the array oracle, which the tests
    above check, makes it quick."""
    r = ROUNDINGS.index(rounding)
    for i, arguments in list(enumerate(formats()))[r % 2 :: 2]:
        grid = oracle_floats.minifloat_grid(**arguments)
        overflow = "infinity" if i // 2 % 2 and arguments["specials"] != "none" else "saturate"
        x = landmarks(grid, DTYPES[(i + r) // 2 % len(DTYPES)])
        how = {"rounding": rounding, "overflow": overflow}
        expected = oracle_arrays.minifloat(
            np.asarray(x), grid, bits31=oracle_arrays.random_bits31(SEED, COUNTER, len(x)), **how
        )
        for backend in BACKENDS:
            with forced(backend):
                result = quant_ops.minifloat(x, seed=SEED, counter=COUNTER, **arguments, **how)
            expect(result, x, expected, (backend, arguments, how))


def test_the_grid_is_the_list_of_codes():
    """By hand: OCP's E4M3 and E2M1 (their specifications' tables) and one-bit oddities."""

    def numbers(*arguments):
        grid = oracle_floats.minifloat_grid(*arguments)
        bias = 1 - grid.min_exponent
        last = oracle_floats.code(grid.largest, grid.mantissa_bits, bias)
        return [float(oracle_floats.decode(c, grid.mantissa_bits, bias)) for c in range(last + 1)]

    assert numbers(2, 1, "none") == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert numbers(4, 3, "nan")[-2:] == [416, 448]
    assert numbers(4, 3, "nan")[:9] == [i * 2.0**-9 for i in range(9)]
    assert numbers(1, 0, "none") == [0, 2]
    assert numbers(2, 0, "ieee") == [0, 1, 2]
    assert numbers(1, 1, "fnuz") == [0, 0.5, 1, 1.5]
