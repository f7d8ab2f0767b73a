"""MNIST and a9a as NumPy arrays, from the folders in which data sets are looked for."""

import os
from pathlib import Path

import numpy as np
import pytest

from tq_halp.data import libsvm, mnist as mnist_set
from tq_halp.data.files import KnownSet
from tq_halp.data.locate import locate
from tq_halp.errors import InputError


def folder_of(known):
    """The folder with these files; skips the test where there is none. Nothing is fetched."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    for base in [os.environ.get("TQ_HALP_DATA"), shared]:
        if base is not None:
            try:
                return locate(known, Path(base) / known.name)
            except InputError:
                continue
    pytest.skip(f"{known.name} is neither in $TQ_HALP_DATA nor beside the checkout")


def mnist():
    """Training images [60000, 784] uint8 and digits, and 10,000 of both for tests."""
    folder = folder_of(mnist_set.MNIST)
    (x, y), (x_test, y_test) = (mnist_set.read_part(folder, part) for part in ("train", "t10k"))
    return x.reshape(len(x), -1), y, x_test.reshape(len(x_test), -1), y_test


def a9a():
    """Training features [32561, 123] and labels of -1 and 1, and 16,281 of both for tests."""
    files = (libsvm.KNOWN["a9a"], libsvm.KNOWN["a9a.t"])
    folder = folder_of(KnownSet("libsvm", ("libsvm",), files))
    (x, x_test), (y, y_test) = libsvm.read_files(folder, files)
    return x.astype(np.uint8), y.astype(int), x_test.astype(np.uint8), y_test.astype(int)
