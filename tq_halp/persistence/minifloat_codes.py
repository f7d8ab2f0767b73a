"""Bit codes of minifloats: sign, exponent and mantissa, from the highest bit down."""

import numpy as np

from tq_halp.errors import InputError
from tq_halp.formats import Minifloat


def bits(format: Minifloat) -> int:
    """The width of a code."""
    return 1 + format.exponent_bits + format.mantissa_bits


def encode(format: Minifloat, numbers: np.ndarray) -> np.ndarray:
    """The codes, uint64, of float64 numbers on the format's grid. All NaNs get one code.

    Raises:
        InputError: a NaN or an infinity for which the format has no code.
    """
    size = np.where(np.isfinite(numbers), np.abs(numbers), 0.0)
    # The exponent code 0, of zero and subnormals, means min_exponent too.
    exponent = np.maximum(np.frexp(size)[1] - 1, format.min_exponent)
    is_normal = size >= format.smallest_normal
    mantissa = (
        np.ldexp(size, format.mantissa_bits - exponent) - is_normal * 2.0**format.mantissa_bits
    )
    magnitude = (exponent + format.bias) * is_normal * 2**format.mantissa_bits + mantissa
    for is_special, code in (
        (np.isinf(numbers), _infinity(format)),
        (np.isnan(numbers), _nan(format)),
    ):
        if is_special.any():
            if code is None:
                raise InputError(
                    f"{format} has no code for NaN and infinity, which the tensor holds"
                )
            magnitude = np.where(is_special, code, magnitude)
    codes = magnitude.astype(np.uint64)
    has_sign = np.signbit(numbers) & ~np.isnan(numbers)
    if format.specials == "fnuz":
        has_sign &= numbers != 0
    return codes | (has_sign.astype(np.uint64) << np.uint64(bits(format) - 1))


def decode(format: Minifloat, codes: np.ndarray) -> np.ndarray:
    """The float64 numbers of the codes, uint64."""
    sign_bit = np.uint64(bits(format) - 1)
    magnitude = (codes & np.uint64(2 ** (bits(format) - 1) - 1)).astype(np.int64)
    exponent, mantissa = np.divmod(magnitude, 2**format.mantissa_bits)
    is_normal = exponent > 0
    whole = mantissa + is_normal * 2**format.mantissa_bits
    power = np.where(is_normal, exponent - format.bias, format.min_exponent) - format.mantissa_bits
    numbers = np.ldexp(whole.astype(np.float64), power)
    if _infinity(format) is not None:
        numbers = np.where(magnitude == _infinity(format), np.inf, numbers)
    numbers = np.where(codes >> sign_bit == 1, -numbers, numbers)
    if format.specials == "ieee":
        return np.where(magnitude > _infinity(format), np.nan, numbers)
    nan = _nan(format)
    is_nan = codes == nan if format.specials == "fnuz" else magnitude == nan
    return numbers if nan is None else np.where(is_nan, np.nan, numbers)


def _infinity(format: Minifloat) -> int | None:
    """The code of infinity, without the sign; None: there is no infinity."""
    if format.specials != "ieee":
        return None
    return (2**format.exponent_bits - 1) * 2**format.mantissa_bits


def _nan(format: Minifloat) -> int | None:
    """The code of NaN (in IEEE 754 the positive quiet one); None: there is no NaN."""
    if format.specials == "ieee" and format.mantissa_bits > 0:
        return _infinity(format) + 2 ** (format.mantissa_bits - 1)
    if format.specials == "nan":
        return 2 ** (bits(format) - 1) - 1
    return 2 ** (bits(format) - 1) if format.specials == "fnuz" else None
