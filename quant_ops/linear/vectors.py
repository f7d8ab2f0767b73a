"""Checks of the solver's arguments per sample and per column: contiguous float64 arrays.

Each error is a ValueError that names the argument, what is valid and what was received.
"""

from typing import Any

import numpy as np

from quant_ops.plain_arguments import integer

LARGEST = 1e150  # whose square is finite


def real(name: str, values: Any) -> np.ndarray:
    """`values` as a contiguous float64 array of any shape, a copy only where it has to be one."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must have no masked elements; fill or drop them first")
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} must be real. Received: {array.dtype}")
    return np.require(array, np.float64, ["C", "A"])


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises ValueError with the place of the first NaN or infinity."""
    bad = ~np.isfinite(array)
    if bad.any():
        place = np.unravel_index(int(bad.argmax()), array.shape)
        at = list(map(int, place))
        raise ValueError(f"{name} must be finite. Received: {array[place]} at index {at}")


def targets(values: Any, loss: str, outputs: int, samples: int) -> np.ndarray:
    """[samples]: finite; in [0, 1] for "logistic", whole numbers below `outputs` for "softmax"."""
    array = real("targets", values)
    if array.shape != (samples,):
        raise ValueError(f"targets must have shape ({samples},). Received: {array.shape}")
    wanted, valid = "finite", np.isfinite(array)
    if loss == "logistic":
        wanted, valid = "in [0, 1]", (array >= 0) & (array <= 1)
    elif loss == "softmax":
        wanted = f"classes below {outputs}"
        valid = (array >= 0) & (array < outputs) & (array == np.rint(array))
    if not valid.all():
        first = int(valid.argmin())
        raise ValueError(f"targets must be {wanted}. Received: {array[first]} at index [{first}]")
    return array


def output_count(outputs: int, loss: str) -> int:
    """1, or the number of classes for "softmax"."""
    outputs = integer(outputs, "outputs", 1, 1 << 20)
    if outputs != 1 and loss != "softmax":
        raise ValueError(f"outputs must be 1 for this loss. Received: {outputs}")
    return outputs


def shares(sample_weights: Any, samples: int) -> np.ndarray | None:
    """Weights [samples] of sum 1; None where all are equal."""
    if sample_weights is None:
        return None
    weights = real("sample_weights", sample_weights)
    if weights.shape != (samples,):
        raise ValueError(f"sample_weights must have {samples} elements. Received: {weights.shape}")
    total = weights.sum()
    if not (np.all(weights >= 0) and 0 < total < np.inf):
        check_finite("sample_weights", weights)
        raise ValueError(
            "sample_weights must be finite, not negative, not all zero, and have a sum"
        )
    return weights / total


def finite(name: str, values: Any, features: int) -> np.ndarray | None:
    """Finite numbers [features], or None."""
    array = _per_column(name, values, features)
    if array is not None:
        check_finite(name, array)
    return array


def positive(name: str, values: Any, features: int) -> np.ndarray | None:
    """Numbers above 0, finite, [features]; or None."""
    array = _per_column(name, values, features)
    if array is not None and not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be positive and finite")
    return array


def _per_column(name: str, values: Any, features: int) -> np.ndarray | None:
    if values is None:
        return None
    array = real(name, values)
    if array.shape != (features,):
        raise ValueError(f"{name} must have shape ({features},). Received: {array.shape}")
    return array


def penalties(l2: Any, scales: np.ndarray | None, features: int) -> np.ndarray:
    """[features]: l2 of the weights of columns that are multiplied by `scales`."""
    penalty = real("l2", 0.0 if l2 is None else l2)
    if penalty.shape not in ((), (features,)):
        raise ValueError(
            f"l2 must be a number or have shape ({features},). Received: {penalty.shape}"
        )
    if not np.all((penalty >= 0) & np.isfinite(penalty)):
        raise ValueError("l2 must be finite and not negative")
    squares = 1.0 if scales is None else np.square(scales)
    return np.ascontiguousarray(np.broadcast_to(penalty * squares, features))


def grid_range(weight_range: float) -> float:
    """A float32 above 0, finite."""
    with np.errstate(over="ignore"):
        value = float(np.float32(weight_range))
    if not 0 < value < np.inf:
        raise ValueError(f"weight_range must be positive and finite. Received: {weight_range!r}")
    return value


def above_zero(name: str, value: float) -> float:
    """A finite number above 0."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite. Received: {value!r}")
    return float(value)
