"""The first reading of the features: what is known of each column."""

import ctypes
from dataclasses import dataclass

import numpy as np

from quant_ops.linear.engine import ColumnPointers, engine
from quant_ops.linear.matrix import described, readable
from quant_ops.plain_arguments import integer


@dataclass(frozen=True)
class Columns:
    """float64 [d] each: the smallest and largest number, and the sum of squares.

    `squares` is not finite where a number is not, or where squares have no sum.
    """

    low: np.ndarray
    high: np.ndarray
    squares: np.ndarray

    def pointers(self, features: int) -> ColumnPointers:
        """For the engine, which reads so many numbers from each.

        Raises:
            ValueError: an array is not contiguous, not of float64 or of another size.
        """
        arrays = (self.low, self.high, self.squares)
        for array in arrays:
            fits = isinstance(array, np.ndarray) and array.shape == (features,)
            if not (fits and array.dtype == np.float64 and array.flags.c_contiguous):
                raise ValueError(
                    f"columns must be what survey(x) returns, float64 ({features},). Received: "
                    f"{getattr(array, 'dtype', type(array))} {np.shape(array)}"
                )
        return ColumnPointers(*(array.ctypes.data for array in arrays))


def survey(x: np.ndarray, n_threads: int = 1) -> Columns:
    """Reads x once, in its own dtype and order; the result does not depend on n_threads.

    Args:
        x: NumPy array [n, d], as of `LinearSolver`.
        n_threads: 1 to 1024.

    Raises:
        ValueError: x is no such array.
        RuntimeError, MemoryError: as of `LinearSolver`.
    """
    x = readable(x)
    found = Columns(*(np.empty(x.shape[1]) for _ in range(3)))
    threads = integer(n_threads, "n_threads", 1, 1024)
    engine().call("survey", described(x), threads, ctypes.byref(found.pointers(x.shape[1])))
    return found
