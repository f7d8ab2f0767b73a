"""The byte order of arrays."""

import numpy as np


def native(array: np.ndarray) -> np.ndarray:
    """The same numbers in this machine's byte order; not copied if they are in it."""
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))
