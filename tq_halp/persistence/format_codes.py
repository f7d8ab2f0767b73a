"""Numbers of a format as the integers that hardware would store, and back. NumPy only.

The conversion is exact: in float64, for every number of a format that a float tensor can hold, the
number divided by its power of two is exact.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.persistence import block_codes, minifloat_codes
from tq_halp.persistence.packed_integers import signed, unsigned


class Encoded(NamedTuple):
    """A tensor as integers: each number is a function of its code and the scale."""

    codes: np.ndarray  # uint64, of the tensor's shape: bit patterns of `bits` bits
    bits: int
    is_signed: bool  # whether codes are two's complement
    scale: np.ndarray | None = None  # if the format does not fix it


def encode(format: formats.Format, numbers: np.ndarray, step: float | None = None) -> Encoded:
    """The codes of numbers, of any shape, that are on the grid of `format`.

        fixed_point      k, where number = k 2^-frac_bits
        scaled_integer   k, where number = k * scale; the scale is `step`
        minifloat        sign, exponent and mantissa, as IEEE 754 lays them out
        block_float      k, where number = k 2^s; the scale is s, one int16 for each block
        mx               the element's code, where number = element * 2^s; the scale is s + 127,
                         one byte for each block (E8M0), the smallest that holds the block
        power_of_two     0 for 0; +-(e - min_exponent + 1) for +-2^e
        binary           1 for the positive level; the scale is the level
        ternary          -1, 0, 1; the scale is the level

    Signed integers are two's complement. `Sparse` has no codes, for it does not round.

    Raises:
        InputError: a NaN or an infinity for which the format has no code.
    """
    numbers = np.asarray(numbers).astype(np.float64)
    if not isinstance(format, (formats.Minifloat, formats.MX)) and not np.isfinite(numbers).all():
        raise InputError(f"{format} has no code for NaN and infinity, which the tensor holds")
    return _ENCODERS[type(format)](format, numbers, step)


def decode(format: formats.Format, encoded: Encoded, dtype: np.dtype) -> np.ndarray:
    """The inverse of `encode`: the numbers, in `dtype`."""
    return _DECODERS[type(format)](format, encoded).astype(dtype)


def has_codes(format: formats.Format) -> bool:
    """Whether `encode` takes the format."""
    return type(format) in _ENCODERS


def _integers(numbers: np.ndarray, bits: int, is_signed: bool = True, scale: Any = None) -> Encoded:
    return Encoded(unsigned(numbers, bits, is_signed), bits, is_signed, scale)


def _fixed_point(format: Any, numbers: np.ndarray, _: float | None) -> Encoded:
    codes = np.ldexp(numbers, format.frac_bits)
    return _integers(codes, format.word_bits, format.signed)


def _scaled_integer(format: Any, numbers: np.ndarray, step: float | None) -> Encoded:
    codes = np.rint(np.divide(numbers, step, out=np.zeros_like(numbers), where=bool(step)))
    # If the tensor's dtype does not resolve all codes, the quotient can be too large by one.
    codes = np.clip(codes, format.min, format.max)
    return _integers(codes, format.word_bits, scale=np.float64(step))


def _power_of_two(format: Any, numbers: np.ndarray, _: float | None) -> Encoded:
    exponent = np.frexp(numbers)[1] - 1
    codes = np.sign(numbers) * (exponent - format.min_exponent + 1)
    bits = (format.max_exponent - format.min_exponent + 1).bit_length() + 1
    return _integers(codes, bits)


def _power_of_two_back(format: Any, encoded: Encoded) -> np.ndarray:
    codes = signed(encoded.codes, encoded.bits)
    sizes = np.ldexp(1.0, np.abs(codes) - 1 + format.min_exponent)
    return np.where(codes == 0, 0.0, np.sign(codes) * sizes)


def _level(numbers: np.ndarray) -> np.float64:
    return np.float64(np.max(np.abs(numbers), initial=0.0))


_ENCODERS: dict[type, Callable[..., Encoded]] = {
    formats.FixedPoint: _fixed_point,
    formats.ScaledInteger: _scaled_integer,
    formats.Minifloat: lambda format, numbers, _: Encoded(
        minifloat_codes.encode(format, numbers), minifloat_codes.bits(format), False
    ),
    formats.BlockFloat: lambda format, numbers, _: Encoded(
        *block_codes.encode_integers(format, numbers)
    ),
    formats.MX: lambda format, numbers, _: Encoded(*block_codes.encode_elements(format, numbers)),
    formats.PowerOfTwo: _power_of_two,
    formats.Binary: lambda format, numbers, _: _integers(
        numbers > 0, 1, is_signed=False, scale=_level(numbers)
    ),
    formats.Ternary: lambda format, numbers, _: _integers(
        np.sign(numbers), 2, scale=_level(numbers)
    ),
}


def _number(encoded: Encoded) -> np.ndarray:
    """The codes as numbers."""
    return signed(encoded.codes, encoded.bits) if encoded.is_signed else encoded.codes


_DECODERS: dict[type, Callable[..., np.ndarray]] = {
    formats.FixedPoint: lambda format, e: np.ldexp(
        _number(e).astype(np.float64), -format.frac_bits
    ),
    formats.ScaledInteger: lambda format, e: _number(e) * e.scale,
    formats.Minifloat: lambda format, e: minifloat_codes.decode(format, e.codes),
    formats.BlockFloat: lambda format, e: block_codes.decode_integers(format, e.codes, e.scale),
    formats.MX: lambda format, e: block_codes.decode_elements(format, e.codes, e.scale),
    formats.PowerOfTwo: _power_of_two_back,
    formats.Binary: lambda format, e: np.where(_number(e) == 1, e.scale, -e.scale),
    formats.Ternary: lambda format, e: _number(e) * e.scale,
}
