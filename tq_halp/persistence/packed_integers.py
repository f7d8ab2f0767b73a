"""Integers of any width: two's complement, and packed without gaps."""

import numpy as np


def unsigned(numbers: np.ndarray, bits: int, is_signed: bool) -> np.ndarray:
    """Bit patterns of `bits` bits, in uint64, of whole numbers: two's complement if signed."""
    if not is_signed:
        return numbers.astype(np.uint64)
    mask = np.uint64(2**bits - 1)
    return numbers.astype(np.int64).view(np.uint64) & mask


def signed(codes: np.ndarray, bits: int) -> np.ndarray:
    """The int64 numbers whose two's complement of `bits` bits the codes are."""
    sign = np.uint64(2 ** (bits - 1))
    extended = np.where(codes & sign, codes | ~np.uint64(2**bits - 1), codes)
    return extended.astype(np.uint64).view(np.int64)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes side by side, `bits` bits each, in bytes: element 0 in the lowest bits of byte 0."""
    each = codes.ravel().astype("<u8").view(np.uint8).reshape(-1, 8)
    return np.packbits(
        np.unpackbits(each, axis=1, count=bits, bitorder="little").ravel(), bitorder="little"
    )


def unpack(packed: np.ndarray, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `pack`: uint64 codes."""
    count = int(np.prod(shape, dtype=np.int64))
    single = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    padded = np.zeros((count, 64), np.uint8)
    padded[:, :bits] = single
    return (
        np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(shape)
    )
