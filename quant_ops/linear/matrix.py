"""The user's features as the engine reads them: where they are, whatever their order."""

import numpy as np

from quant_ops.linear.engine import Matrix

# In the order of ElementType in `cc/linear/features.h`.
TYPES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "float16",
    "float32",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float64",
)
_LAST_SINGLE = TYPES.index("float32")


def readable(x: np.ndarray) -> np.ndarray:
    """x itself, or a copy of it where its bytes are in another order or not aligned.

    Raises:
        ValueError: x is no array [n, d] of a number's dtype, is empty or masked.
    """
    known = isinstance(x, np.ndarray) and x.dtype.name in TYPES
    if not known or x.ndim != 2 or x.size == 0:
        what = f"{x.dtype} array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x)
        raise ValueError(f"x must be a NumPy array [n, d] of {', '.join(TYPES)}. Received: {what}")
    if np.ma.is_masked(x):
        raise ValueError("x must have no masked elements; fill or drop them first")
    if x.dtype.isnative and x.flags.aligned:
        return x
    return np.array(x, x.dtype.newbyteorder("="))


def described(x: np.ndarray) -> Matrix:
    """Where the engine finds x, which has to live as long as the engine reads."""
    return Matrix(
        data=x.ctypes.data,
        rows=x.shape[0],
        columns=x.shape[1],
        row_stride=x.strides[0],
        column_stride=x.strides[1],
        type=TYPES.index(x.dtype.name),
        drops_pages=_is_read_from_a_file(x),
    )


def is_double(x: np.ndarray) -> bool:
    """Whether float32 does not hold all numbers of x's dtype."""
    return TYPES.index(x.dtype.name) > _LAST_SINGLE


def _is_read_from_a_file(x: np.ndarray) -> bool:
    """Whether x is a mapped file, row after row: its pages need not stay in memory.

    Not where changes are kept in memory alone (mode "c"): they would be lost.
    """
    base: object = x
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            rows = 0 < x.strides[1] * x.shape[1] <= x.strides[0]
            return rows and getattr(base, "mode", "c") in ("r", "r+", "w+")
        base = base.base
    return False
