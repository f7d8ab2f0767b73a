"""The order of an array's bytes."""

import numpy as np


def native(array: np.ndarray) -> np.ndarray:
    """The same numbers, their bytes in the order in which this machine has them."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)
