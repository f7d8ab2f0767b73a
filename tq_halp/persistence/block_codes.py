"""Integer codes of block formats: the codes, and for each block a scale, a power of two."""

import numpy as np

from tq_halp.errors import InputError
from tq_halp.formats import MX, BlockFloat, Minifloat
from tq_halp.persistence import minifloat_codes
from tq_halp.persistence.packed_integers import signed, unsigned


def encode_integers(
    format: BlockFloat, numbers: np.ndarray
) -> tuple[np.ndarray, int, bool, np.ndarray]:
    """(codes, bits, is_signed, exponents) of float64 numbers: number = code * 2^exponent.

    codes are uint64 of the shape of `numbers`, exponents int16, one for each block.
    """
    top, _ = _largest(format, numbers)
    exponents = top - (format.word_bits - 2)
    codes = np.ldexp(numbers, -_spread(format, exponents))
    scale = exponents.astype(np.int16)
    return unsigned(codes, format.word_bits, True), format.word_bits, True, scale


def decode_integers(format: BlockFloat, codes: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """The inverse of `encode_integers`: float64 numbers."""
    numbers = signed(codes, format.word_bits).astype(np.float64)
    return np.ldexp(numbers, _spread(format, exponents))


def encode_elements(format: MX, numbers: np.ndarray) -> tuple[np.ndarray, int, bool, np.ndarray]:
    """(codes, bits, is_signed, scales) of float64 numbers: number = element * 2^(scale - 127).

    codes are uint64 of the shape of `numbers`, scales uint8, one for each block: the smallest scale
    that holds the block exactly. The block may have been rounded with twice that scale.

    Raises:
        InputError: a NaN or an infinity for which the element has no code.
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
    """The inverse of `encode_elements`: float64 numbers."""
    element = format.element_format
    if isinstance(element, Minifloat):
        elements = minifloat_codes.decode(element, codes)
    else:
        numbers = signed(codes, element.word_bits).astype(np.float64)
        elements = np.ldexp(numbers, -element.frac_bits)
    return np.ldexp(elements, _spread(format, scale.astype(np.int64) - 127))


def _largest(format: BlockFloat | MX, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each block: E and the largest finite magnitude, which is in [2^E, 2^(E+1))."""
    axis = format.axis % numbers.ndim
    shape = list(numbers.shape)
    shape[axis : axis + 1] = [shape[axis] // format.block_size, format.block_size]
    sizes = np.where(np.isfinite(numbers), np.abs(numbers), 0.0).reshape(shape)
    largest = sizes.max(axis=axis + 1, initial=0.0)
    return np.frexp(largest)[1].astype(np.int64) - 1, largest


def _spread(format: BlockFloat | MX, each: np.ndarray) -> np.ndarray:
    """The values of the blocks, repeated for each of their elements."""
    return np.repeat(each, format.block_size, axis=format.axis)
