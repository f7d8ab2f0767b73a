"""The definitions once more on whole arrays, in integers only: for tests over every value.

A number is taken from its bits as sign * significand * 2^exponent, and every comparison is one of
integers. The scalar oracles, which are slower and say more, check this one on samples.
"""

import numpy as np
import oracle_floats
import quantization_oracle as oracle
from carrier_values import MANTISSA, to_bits

MASK32 = np.uint64(0xFFFFFFFF)


def decode(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(negative, significand, exponent) of finite values: |x| = significand * 2^exponent."""
    bits, stored = to_bits(x), MANTISSA[x.dtype.name]
    width = 8 * bits.dtype.itemsize
    magnitude = (bits & bits.dtype.type(2 ** (width - 1) - 1)).astype(np.int64)
    field, significand = magnitude >> stored, magnitude & (2**stored - 1)
    significand = np.where(field == 0, significand, significand | 1 << stored)
    bias = 2 ** (width - 2 - stored) - 1
    return bits >> (width - 1) == 1, significand, np.maximum(field, 1) - bias - stored


def bit_length(value: np.ndarray) -> np.ndarray:
    """Of integers below 2^62."""
    return np.searchsorted(1 << np.arange(62), value, side="right")


def round_shifted(negative, significand, shift, rounding: str, bits31=0) -> np.ndarray:
    """The magnitude of +-significand / 2^shift, rounded to an integer.

    Args:
        significand: below 2^54; where shift < 0, significand / 2^shift below 2^63.
    """
    right, left = np.clip(shift, 0, 62), np.clip(-shift, 0, 62)
    whole = significand >> right << left
    lost = significand - (significand >> right << right)
    half = np.where(shift > 0, 1 << np.maximum(right - 1, 0), 1)  # 62: far above any significand
    tie, odd = lost == half, whole % 2 == 1
    if rounding == "stochastic":
        # floor(2^31 lost / 2^shift), lost < 2^shift
        chance = np.where(
            shift > 31,
            lost >> np.clip(shift - 31, 0, 63),
            lost << np.clip(31 - shift, 0, 31),
        )
        away = bits31 < chance
    else:
        away = {
            "nearest_even": (lost > half) | tie & odd,
            "nearest_away": lost >= half,
            "nearest_up": (lost > half) | tie & ~negative,
            "down": (lost > 0) & negative,
            "up": (lost > 0) & ~negative,
            "toward_zero": np.zeros(lost.shape, bool),
        }[rounding]
    return whole + away


def fixed_point(x, word_bits, frac_bits, signed, rounding, overflow, bits31=0) -> np.ndarray:
    """For finite |x| below 2^8 times the range; word_bits <= 16."""
    carrier = oracle.DTYPES[x.dtype.name]
    negative, significand, exponent = decode(x)
    steps = round_shifted(negative, significand, -(exponent + frac_bits), rounding, bits31)
    assert (bit_length(steps) < word_bits + 10).all()
    steps = np.where(negative, -steps, steps)
    low = -(1 << word_bits - 1) if signed else 0
    high = low + (1 << word_bits) - 1
    if overflow == "wrap":
        steps = (steps - low) % (1 << word_bits) + low
        if not signed:
            drop = np.maximum(bit_length(steps) - carrier.precision, 0)
            steps = steps >> drop << drop
    delta = oracle.Fraction(2) ** -frac_bits
    inwards = [oracle.representable_limit(limit, delta, carrier) / delta for limit in (low, high)]
    return np.ldexp(np.clip(steps, *map(int, inwards)).astype(np.float64), -frac_bits)


def minifloat(x, grid: oracle_floats.Grid, rounding, overflow="saturate", bits31=0) -> np.ndarray:
    """For any x; NaN for NaN. As `oracle_floats.quantize`."""
    largest = float(oracle_floats.largest_held(grid, oracle.DTYPES[x.dtype.name]))
    negative, significand, exponent = decode(x)
    top = np.maximum(exponent + bit_length(significand) - 1, grid.min_exponent)
    step = top - grid.mantissa_bits
    if not grid.subnormals:
        gap = exponent + bit_length(significand) - 1 < grid.min_exponent
        step = np.where(gap, grid.min_exponent, step)
    steps = round_shifted(negative, significand, step - exponent, rounding, bits31)
    if grid.mantissa_bits == 0 and rounding == "nearest_even":
        between = significand << 1 == (3 << np.clip(step - exponent, 0, 60))
        steps = np.where(between, 2 - (step + grid.bias + 1) % 2, steps)
    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are mended below
        result, given = np.ldexp(steps.astype(np.float64), step), x.astype(np.float64)
    inwards = {"toward_zero": True, "down": ~negative, "up": negative}.get(rounding, False)
    beyond = largest if overflow == "saturate" else np.where(inwards, largest, grid.beyond)
    result = np.where(result > largest, beyond, result)
    result = np.where(np.isinf(given), largest if overflow == "saturate" else grid.beyond, result)
    result = np.where(np.isnan(given), np.nan, result)
    minus = negative & ((result != 0) | grid.signed_zero) & ~np.isnan(result)
    return np.where(minus, -result, result)


def random_bits31(seed: int, counter: int, count: int) -> np.ndarray:
    """The upper 31 random bits of elements 0 .. count - 1."""
    mix, mask = oracle.mix64, oracle.MASK64
    state = mix((seed + 0x9E3779B97F4A7C15) & mask)
    state = mix(mix(state ^ mix((counter + 0xD1B54A32D192ED03) & mask)))
    h = np.arange(count, dtype=np.uint64) ^ np.uint64(state & 0xFFFFFFFF)
    h = (h ^ h >> np.uint64(17)) * np.uint64(0xED5AD4BB) & MASK32
    h = (h ^ h >> np.uint64(11)) + np.uint64(state >> 32) & MASK32
    h = h * np.uint64(0xAC4C1B51) & MASK32
    h = (h ^ h >> np.uint64(15)) * np.uint64(0x31848BAB) & MASK32
    return ((h ^ h >> np.uint64(14)) >> np.uint64(1)).astype(np.int64)
