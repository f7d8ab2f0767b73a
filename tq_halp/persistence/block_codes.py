"""Codes of formats whose blocks share a scale, a power of two: one scale for each block."""

import numpy as np

from tq_halp.errors import InputError
from tq_halp.formats import MX, BlockFloat, Minifloat
from tq_halp.persistence import minifloat_codes
from tq_halp.persistence.packed_integers import signed, unsigned


def encode_integers(
    format: BlockFloat, numbers: np.ndarray
) -> tuple[np.ndarray, int, bool, np.ndarray]:
    """(codes, bits, is_signed, exponents): a number is its code times 2^exponent of its block."""
    top, _ = _largest(format, numbers)
    exponents = top - (format.word_bits - 2)
    codes = np.ldexp(numbers, -_spread(format, exponents))
    scale = exponents.astype(np.int16)
    return unsigned(codes, format.word_bits, True), format.word_bits, True, scale


def decode_integers(format: BlockFloat, codes: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    numbers = signed(codes, format.word_bits).astype(np.float64)
    return np.ldexp(numbers, _spread(format, exponents))


def encode_elements(format: MX, numbers: np.ndarray) -> tuple[np.ndarray, int, bool, np.ndarray]:
    """(codes, bits, is_signed, scales): a number is its element times 2^(scale - 127).

    Of the scales that hold a block exactly, the smallest; the one it was rounded with may be twice
    that.
    """
    element = format.element_format
    top, largest = _largest(format, numbers)
    exponents = top - (np.frexp(element.max)[1] - 1)
    exponents += largest > np.ldexp(element.max, exponents)
    exponents = np.clip(exponents, -127, 127)
    elements = np.ldexp(numbers, -_spread(format, exponents))
    scale = (exponents + 127).astype(np.uint8)
    if isinstance(element, Minifloat):
        return (
            minifloat_codes.encode(element, elements),
            minifloat_codes.bits(element),
            False,
            scale,
        )
    if not np.isfinite(elements).all():
        raise InputError(f"{format} has no code for NaN and infinity, which the tensor holds")
    codes = np.ldexp(elements, element.frac_bits)
    return unsigned(codes, element.word_bits, True), element.word_bits, True, scale


def decode_elements(format: MX, codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    element = format.element_format
    if isinstance(element, Minifloat):
        elements = minifloat_codes.decode(element, codes)
    else:
        numbers = signed(codes, element.word_bits).astype(np.float64)
        elements = np.ldexp(numbers, -element.frac_bits)
    return np.ldexp(elements, _spread(format, scale.astype(np.int64) - 127))


def _largest(format: BlockFloat | MX, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each block the exponent E of its largest finite magnitude, in [2^E, 2^(E+1)), and that."""
    axis = format.axis % numbers.ndim
    shape = list(numbers.shape)
    shape[axis : axis + 1] = [shape[axis] // format.block_size, format.block_size]
    sizes = np.where(np.isfinite(numbers), np.abs(numbers), 0.0).reshape(shape)
    largest = sizes.max(axis=axis + 1, initial=0.0)
    return np.frexp(largest)[1].astype(np.int64) - 1, largest


def _spread(format: BlockFloat | MX, each: np.ndarray) -> np.ndarray:
    """What belongs to a block, for each of its elements."""
    return np.repeat(each, format.block_size, axis=format.axis)
