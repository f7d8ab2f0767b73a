"""Checks of X, y and sample_weight, and their conversion to arrays that the solver takes.

Arrays of ordinary floats and integers are not copied, whatever their order in memory.
"""

import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from quant_ops.linear.matrix import TYPES, readable
from tq_halp.byte_order import native
from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite
from tq_halp.linear.sklearn_protocol import DataConversionWarning, shared_with_sklearn

_LARGEST = 1e150  # magnitude of y: sums of squares stay finite
BLOCK_BYTES = 1 << 22  # where another dtype is needed, so much of X is converted at a time


def features(x: npt.ArrayLike) -> np.ndarray:
    """X as an array [samples, features] of a dtype in `quant_ops.linear.matrix.TYPES`.

    bool becomes uint8 and bfloat16 float32; other numbers, such as long doubles, become float64.
    Whether the numbers are finite is not checked: see `check_finite`.

    Raises:
        TypeError: X is sparse, or an element is no number.
        InputError: X is not 2-D, has no samples or features, is complex or masked.
    """
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        raise TypeError(
            f"X must be dense. Received: a sparse {type(x).__name__}; sparse input is not "
            "supported, convert it with X.toarray()"
        )
    x = _array("X", x)
    if x.ndim != 2:
        raise InputError(
            f"Expected 2D array X [samples, features]. Received: {x.ndim}D with shape {x.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one sample"
        )
    for count, what in zip(x.shape, ("sample(s)", "feature(s)"), strict=True):
        if count == 0:
            raise InputError(f"X has 0 {what} (shape={x.shape}) while a minimum of 1 is required.")
    if x.dtype == np.bool_:
        return x.view(np.uint8)
    if x.dtype.name not in TYPES:
        x = _converted("X", x, np.float32 if x.dtype.name == "bfloat16" else np.float64)
    return readable(x)


def target_vector(y: npt.ArrayLike | None, samples: int, estimator: str) -> np.ndarray:
    """y as a 1-D array of its own dtype; a single column becomes a vector, with a warning.

    Raises:
        InputError: y is None, not as long as X, masked, or has more than one column.
    """
    if y is None:
        raise InputError(f"{estimator} requires y to be passed, but the target y is None")
    _check_not_masked("y", y)
    try:
        y = native(np.asarray(y))
    except ValueError as error:
        raise InputError(f"y must be a 1-D array. Received: {type(y).__name__} ({error})") from None
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; it is taken as y.ravel()",
            shared_with_sklearn(DataConversionWarning),
            stacklevel=4,
        )
        y = y.ravel()
    if y.ndim != 1:
        raise InputError(f"y should be a 1d array. Received: shape {y.shape}")
    if len(y) != samples:
        raise InputError(
            "X and y must have the same number of samples. Received: inconsistent numbers: "
            f"{samples} and {len(y)}"
        )
    return y


def real_targets(y: np.ndarray) -> np.ndarray:
    """The regressor's y in float64.

    Raises:
        InputError: y is complex, not finite, not numeric, or so large that squares overflow.
    """
    y = _converted("y", _array("y", y), np.float64)
    check_finite("y", y)
    if (largest := np.abs(y).max()) > _LARGEST:
        raise InputError(
            f"y must have magnitudes whose squares can be added, up to {_LARGEST:g}. Received: "
            f"{largest:g}; divide it by its largest"
        )
    return y


def weight_vector(sample_weight: npt.ArrayLike | None, samples: int) -> np.ndarray | None:
    """sample_weight as float64 [samples]; None where all weights are equal.

    It is scaled by a power of two, so that its sum does not overflow.

    Raises:
        InputError: the shape is wrong, a weight is negative or not finite, or all are 0.
    """
    if sample_weight is None:
        return None
    array = _array("sample_weight", sample_weight)
    weights = _converted("sample_weight", array, np.float64)
    if array.ndim == 0:
        weights = np.full(samples, weights)
    if weights.shape != (samples,):
        raise InputError(
            f"sample_weight must have shape ({samples},), one per sample. Received: {weights.shape}"
        )
    check_finite("sample_weight", weights)
    if weights.min() < 0:
        raise InputError(f"sample_weight must be 0 or above. Received: {weights.min()}")
    if weights.max() == 0:
        raise InputError("sample_weight must hold a weight above zero. Received: only zeros")
    if weights.min() == weights.max():
        return None
    return np.ldexp(weights, -int(np.frexp(weights.max())[1]))


def feature_names(x: object) -> np.ndarray | None:
    """The column names of a data frame, object [features]; None unless all are strings."""
    names = getattr(x, "columns", None)
    if names is None or not len(names) or not all(isinstance(name, str) for name in names):
        return None
    return np.asarray(names, object)


def blocks(x: np.ndarray) -> Iterator[slice]:
    """Slices of rows that cover x; each block has about BLOCK_BYTES in float64."""
    rows = max(1, BLOCK_BYTES // (8 * x.shape[1]))
    return (slice(start, start + rows) for start in range(0, len(x), rows))


def _array(name: str, value: npt.ArrayLike) -> np.ndarray:
    """`value` as an array of real numbers of any dtype; objects that are numbers become float64."""
    _check_not_masked(name, value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} must be a rectangular array of numbers ({error})") from None
    if array.dtype.kind == "c":
        raise InputError(
            f"Complex data not supported: {name} must be real. Received: {array.dtype}"
        )
    if array.dtype.kind in "biuf" or array.dtype.name == "bfloat16":
        return array
    if array.dtype.kind != "O":
        raise InputError(f"{name} must be numbers. Received: dtype {array.dtype}")
    try:
        return array.astype(np.float64)
    except TypeError as error:
        raise TypeError(f"{name} must be numbers: {error}") from None
    except ValueError as error:
        raise InputError(f"{name} must be numbers: {error}") from None


def _converted(name: str, array: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """`array` as a C-contiguous array of `dtype`, without a copy where it is one already."""
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype)
    if array.dtype.kind == "f" and array.dtype.itemsize > converted.dtype.itemsize:
        lost = np.isinf(converted) & np.isfinite(array)
        if lost.any():
            raise InputError(f"{name} must fit into float64. Received: {array[lost][0]!r}")
    return converted


def _check_not_masked(name: str, value: object) -> None:
    if np.ma.is_masked(value):
        raise InputError(f"{name} must have no masked elements; fill or drop them first")


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises InputError with the place of the first NaN or infinity."""
    place = first_non_finite(array)
    if place is not None:
        what = "NaN" if np.isnan(array[place]) else "infinity"
        raise InputError(
            f"{name} must be finite, Input {name} contains {what} at index {list(place)}"
        )
