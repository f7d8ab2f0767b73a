"""Class labels of any sortable kind, converted to class indices."""

from typing import Any

import numpy as np

from tq_halp.errors import InputError

_FEW_INTEGERS = 1 << 16  # labels this close to each other need not be sorted


def classes_of(y: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The sorted classes, and the class index of each sample.

    Args:
        y: labels [n]: integers, strings, booleans, whole floating-point numbers, or objects that
            can be sorted.
        weights: sample weights [n], or None. The label of a sample of weight 0 adds no class, and
            its index is 0.

    Returns:
        (classes [k] of y's dtype, indices float64 [n]).

    Raises:
        InputError: there are fewer than two classes, or a label is continuous, complex, missing or
            cannot be sorted.
    """
    if y.dtype.kind == "c":
        raise InputError(f"Complex data not supported: y must be class labels. Received: {y.dtype}")
    _check_known(y)
    used = y if weights is None else y[weights > 0]
    if weights is None and (found := _of_few_integers(y)) is not None:
        return found
    try:
        classes = np.unique(used)
    except TypeError as error:
        raise InputError(
            f"Unknown label type: y must hold labels of one kind, which can be sorted ({error})"
        ) from None
    if len(classes) < 2:
        held = ", ".join(map(repr, classes.tolist()))
        raise InputError(f"y must hold at least two classes. Received: one class: {held}")
    if weights is None:
        return classes, np.searchsorted(classes, y).astype(np.float64)
    indices = np.zeros(len(y))
    indices[weights > 0] = np.searchsorted(classes, used)
    return classes, indices


def _of_few_integers(y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Two or more classes and the indices, counted rather than sorted; None for other labels."""
    if y.dtype.kind not in "iu" or y.dtype.itemsize > 8:
        return None
    low, high = int(y.min()), int(y.max())
    if high - low >= _FEW_INTEGERS:
        return None
    codes = y.astype(np.int64) - low if high < 2**63 else (y - y.dtype.type(low)).astype(np.int64)
    present = np.bincount(codes) > 0
    classes = np.flatnonzero(present).astype(y.dtype) + y.dtype.type(low)
    if len(classes) < 2:
        return None
    return classes, (np.cumsum(present) - 1.0)[codes]


def _check_known(y: np.ndarray) -> None:
    """InputError for labels that are continuous, missing or of a dtype that names no classes."""
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise InputError("y must be class labels, Input y contains NaN or infinity")
        if (y != np.floor(y)).any():
            example = y[y != np.floor(y)][0]
            raise InputError(
                f"Unknown label type: continuous. y must be class labels. Received: {example}; "
                "for regression use LMHALPRegressor"
            )
    elif y.dtype.kind == "O":
        missing = [label for label in y.tolist() if _is_missing(label)]
        if missing:
            raise InputError(f"y must be class labels. Received: {missing[0]!r} among them")
    elif y.dtype.kind not in "biuUST":
        raise InputError(f"Unknown label type: y must be class labels. Received: dtype {y.dtype}")


def _is_missing(label: Any) -> bool:
    """Whether a label is None, NaN or pandas' NA."""
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # comparing pandas' NA gives no bool
        return True
