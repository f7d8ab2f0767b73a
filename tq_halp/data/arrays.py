"""A user's own examples: arrays in an .npz file."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tq_halp.byte_order import native
from tq_halp.data.dataset import Dataset, Examples, first
from tq_halp.data.files import check_sha256
from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite, place
from tq_halp.settings_with_origins import suggestion

_PARTS = ("train", "validation", "test")
_NAMES = tuple(f"{axis}_{part}" for part in _PARTS for axis in "xy")
_KINDS = "fiub"
# Exceptions of NumPy and zipfile for a damaged, encrypted, pickled or other file.
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_arrays(
    file: str | os.PathLike | None,
    *,
    sha256: str | None = None,
    limit: int | None = None,
    validation_limit: int | None = None,
) -> Dataset:
    """The arrays x_train, y_train, x_validation, y_validation and, if present, x_test, y_test.

    Args:
        file: as `numpy.savez` writes it. Pickled objects are not loaded.
        sha256: the checksum that the file must have; None for any file.
        limit: maximum number of training examples, the first ones.
        validation_limit: maximum number of validation examples, and of test examples.

    Returns:
        x and y with the dtype and shape of the file, in this machine's byte order, the examples
        along the first axis. `classes` is one more than the largest y if y holds a whole number
        from 0 for each example.

    Raises:
        InputError: the file cannot be read, has another checksum, lacks an array or has an unknown
            one; an array is empty, holds other than finite numbers, or does not match the others in
            shape or dtype.
    """
    if file is None:
        raise InputError("data.file: arrays needs the name of an .npz file")
    path = Path(file)
    arrays = read_npz(path)
    check_sha256(path, sha256)
    _check_names(path, arrays)
    for name, array in arrays.items():
        _check(f"{path}: {name}", array)
    parts = {p: (arrays[f"x_{p}"], arrays[f"y_{p}"]) for p in _PARTS if f"x_{p}" in arrays}
    for part, examples in parts.items():
        _check_together(path, part, examples, parts["train"])
    test = first(parts["test"], validation_limit) if "test" in parts else None
    return Dataset(
        name=path.name,
        requested=path.name,
        train=first(parts["train"], limit),
        validation=first(parts["validation"], validation_limit),
        test=test,
        classes=_classes([y for _, y in parts.values()]),
        source=str(path),
    )


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Name -> array of an .npz file, in this machine's byte order.

    Raises:
        InputError: it cannot be read, is no .npz file, or holds pickled objects.
    """
    try:
        with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
            return {name: native(array) for name, array in dict(file).items()}
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or "no .npz file of plain arrays"
        raise InputError(f"{path}: cannot be read: {reason}") from error


def _check_names(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name in arrays:
        if name not in _NAMES:
            raise InputError(f"{path}: unknown array {name!r}{suggestion(name, _NAMES)}")
    has_test = "x_test" in arrays or "y_test" in arrays
    for name in _NAMES if has_test else _NAMES[:4]:
        if name not in arrays:
            raise InputError(
                f"{path}: {name} is missing; expected x_train, y_train, x_validation, "
                "y_validation and, for a test at the end, x_test and y_test"
            )


def _check(subject: str, array: np.ndarray) -> None:
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise InputError(
            f"{subject} must hold real numbers of at most 8 bytes. Received: {array.dtype}"
        )
    if array.ndim == 0 or array.size == 0:
        raise InputError(
            f"{subject} must hold examples along its first axis. Received: shape {array.shape}"
        )
    if array.dtype.kind == "f" and (index := first_non_finite(array)) is not None:
        raise InputError(
            f"{subject} must hold finite numbers. Received: {array[index]} at {place(index)}"
        )


def _check_together(path: Path, part: str, examples: Examples, train: Examples) -> None:
    x, y = examples
    if len(x) != len(y):
        raise InputError(f"{path}: x_{part} has {len(x)} examples, y_{part} has {len(y)}")
    for axis, ours, theirs in zip("xy", examples, train, strict=True):
        if (ours.shape[1:], ours.dtype) != (theirs.shape[1:], theirs.dtype):
            raise InputError(
                f"{path}: {axis}_{part} holds {ours.dtype} of shape {ours.shape[1:]}, expected "
                f"{theirs.dtype} of shape {theirs.shape[1:]} as in {axis}_train"
            )


def _classes(labels: list[np.ndarray]) -> int | None:
    are_labels = labels[0].ndim == 1 and labels[0].dtype.kind in "iu"
    if not are_labels or min(int(y.min()) for y in labels) < 0:
        return None
    return 1 + max(int(y.max()) for y in labels)
