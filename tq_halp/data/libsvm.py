"""Data sets in LIBSVM's format."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tq_halp.data.dataset import Dataset, first
from tq_halp.data.files import KnownFile, KnownSet, read_verified_bytes
from tq_halp.data.locate import find
from tq_halp.data.parse_libsvm import MOST, decode, parse
from tq_halp.errors import InputError

_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/"
#: Known files: they are verified when they are found by a search, and can be fetched.
KNOWN = {
    file.name: file
    for file in (
        KnownFile(
            "a9a",
            2329875,
            "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
            _URL + "binary/a9a",
        ),
        KnownFile(
            "a9a.t",
            1164628,
            "1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9",
            _URL + "binary/a9a.t",
        ),
        KnownFile(
            "mushrooms",
            879712,
            "f39a4eb628dc61a7d43760815b061c9e497aa728ce1ad8bde57a09ef6043b538",
            _URL + "binary/mushrooms",
        ),
        KnownFile(
            "housing_scale",
            72154,
            "bbacd2f526a038499717d5dc4b8895e6baf1e2351895b9360a84bcb31e104476",
            _URL + "regression/housing_scale",
        ),
    )
}


def load_libsvm(
    file: str | None,
    *,
    directory: str | os.PathLike | None = None,
    test_file: str | None = None,
    task: str = "classification",
    limit: int | None = None,
    validation_limit: int | None = None,
) -> Dataset:
    """The samples of a file, every tenth of them for validation, and those of another as the test.

    Every tenth, because in many files the samples are sorted by label.

    Args:
        file, test_file: names in one folder.
        directory: that folder; None searches for one named libsvm (see `locate`).
        task: "classification": the classes are the distinct labels in ascending order; or
            "regression".
        limit: maximum number of training samples; features and classes do not depend on it.
        validation_limit: maximum number of validation samples, and of test samples.

    Returns:
        x float32 (n, features), features being the largest index in both files; y int32 (n,), or
        float32 (n, 1) for regression.

    Raises:
        InputError: a file is not found, a line is wrong, or labels are no classes.
    """
    if file is None:
        raise InputError("data.file: libsvm needs the name of a file, e.g. a9a")
    names = [file] if test_file is None else [file, test_file]
    # A user's own file may have the name of a known one.
    known = KNOWN if directory is None else {}
    files = tuple(known.get(name) or KnownFile(name, 0, "") for name in names)
    folder = find(KnownSet("libsvm", ("libsvm",), files), directory)
    x, y = read_files(folder, files)
    classes = None
    if task == "classification":
        y, classes = _classes(y, folder / file)
    else:
        y = [part.astype(np.float32)[:, None] for part in y]
    held_out = np.arange(len(x[0])) % 10 == 9
    if not held_out.any():
        raise InputError(f"{folder / file}: {len(x[0])} samples, expected 10 or more")
    return Dataset(
        name=file,
        requested=file,
        train=first((x[0][~held_out], y[0][~held_out]), limit),
        validation=first((x[0][held_out], y[0][held_out]), validation_limit),
        test=first((x[1], y[1]), validation_limit) if test_file else None,
        classes=classes,
        source=str(folder / file),
    )


def read_files(folder: Path, files: Iterable[KnownFile]) -> tuple[list, list]:
    """x float32 (n, features) and y float64 (n,) of each file.

    `features` is the largest index in all files. Files with a checksum are verified.

    Raises:
        InputError: a file cannot be read, is truncated or altered, or a line is wrong.
    """
    parsed = []
    for file in files:
        path = folder / file.name
        if file.sha256:
            content = read_verified_bytes(folder, file)
        else:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        parsed.append((path, *parse(decode(content, path), path)))
    features = max(int(columns.max(initial=0)) for *_, columns, _ in parsed)
    if not features:
        raise InputError(f"{parsed[0][0]}: no feature in it, expected lines such as '+1 1:0.5 7:1'")
    dense = []
    for path, labels, rows, columns, values in parsed:
        if len(labels) * features > MOST:
            raise InputError(
                f"{path}: {len(labels):,} samples of {features:,} features are too many for a "
                f"dense array, of {MOST:,} numbers at most"
            )
        x = np.zeros((len(labels), features), np.float32)
        x[rows, columns - 1] = values
        dense.append(x)
    return dense, [labels for _, labels, *_ in parsed]


def _classes(parts: list[np.ndarray], path: Path) -> tuple[list[np.ndarray], int]:
    """The class index of each label, int32, and the number of classes; in order of the labels."""
    values = np.unique(np.concatenate(parts))
    if (large := np.abs(values).max()) >= 2**53:
        raise InputError(
            f"{path}: the label {large:.17g} is no class, expected whole numbers below 2^53, which "
            "float64 tells apart"
        )
    odd = values[values != np.rint(values)]
    if len(odd):
        raise InputError(
            f"{path}: the label {odd[0]:g} is no class, expected whole numbers; for numbers to be "
            "predicted set data.task: regression"
        )
    if len(values) < 2:
        raise InputError(f"{path}: every label is {values[0]:g}, expected two classes or more")
    return [np.searchsorted(values, part).astype(np.int32) for part in parts], len(values)
