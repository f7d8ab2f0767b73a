"""Integers of any width: conversion to two's complement, and packing into bytes."""

import numpy as np


def unsigned(numbers: np.ndarray, bits: int, is_signed: bool) -> np.ndarray:
    """Integers as bit patterns of `bits` bits, in uint64: two's complement if signed."""
    if not is_signed:
        return numbers.astype(np.uint64)
    mask = np.uint64(2**bits - 1)
    return numbers.astype(np.int64).view(np.uint64) & mask


def signed(codes: np.ndarray, bits: int) -> np.ndarray:
    """The int64 numbers of codes, uint64, in two's complement of `bits` bits."""
    sign = np.uint64(2 ** (bits - 1))
    extended = np.where(codes & sign, codes | ~np.uint64(2**bits - 1), codes)
    return extended.astype(np.uint64).view(np.int64)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes, uint64, packed into uint8 without gaps. Element 0 is in the lowest bits of byte 0."""
    each = codes.ravel().astype("<u8").view(np.uint8).reshape(-1, 8)
    return np.packbits(
        np.unpackbits(each, axis=1, count=bits, bitorder="little").ravel(), bitorder="little"
    )


def unpack(packed: np.ndarray, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `pack`: uint64 codes of that shape."""
    count = int(np.prod(shape, dtype=np.int64))
    single = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    padded = np.zeros((count, 64), np.uint8)
    padded[:, :bits] = single
    return (
        np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(shape)
    )
