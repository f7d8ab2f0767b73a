"""Numbers that are none, by their places."""

import numpy as np


def first_nonfinite(array: np.ndarray) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity of an array of floating-point numbers; else None.

    Also of the types that are none of NumPy's own, such as bfloat16.
    """
    finite = np.isfinite(array)
    if finite.all():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), array.shape))


def place(index: tuple[int, ...]) -> str:
    """ "[3, 1]", as it is written in Python; of a scalar nothing."""
    return f"[{', '.join(map(str, index))}]" if index else ""
