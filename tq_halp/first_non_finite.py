"""The first NaN or infinity in an array."""

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 19  # elements that are checked at a time


def first_non_finite(array: npt.ArrayLike) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity in C order; None if there is none.

    Args:
        array: an array of any shape, or what converts to one. Numbers that are not floating-point
            are finite.
    """
    array = np.asarray(array)
    is_float = array.dtype.kind in "fc" or array.dtype.name == "bfloat16"
    if not is_float or array.size == 0:
        return None
    # Two fast passes: a NaN or an infinity shows in the smallest or the largest element.
    if array.dtype.kind == "f" and np.isfinite(array.min()) and np.isfinite(array.max()):
        return None
    rows = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    step = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        bad = ~np.isfinite(rows[start : start + step])
        if bad.any():
            place = int(np.argmax(bad)) + start * rows.shape[1]
            return tuple(map(int, np.unravel_index(place, array.shape)))
    return None


def place(index: tuple[int, ...]) -> str:
    """ "[3, 1]", an index as Python writes it; "" for that of a scalar."""
    return f"[{', '.join(map(str, index))}]" if index else ""
