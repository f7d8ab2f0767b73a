"""MNIST and a9a as NumPy arrays, from the folders in which data sets are looked for."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from tq_halp.data.files import KnownFile, KnownSet
from tq_halp.data.locate import locate
from tq_halp.errors import InputError

MNIST = [
    f"{s}-{kind}.gz"
    for s in ("train", "t10k")
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
]


def folder_of(name, files, inside=""):
    """The folder with these files; skips the test where there is none. Nothing is fetched."""
    known = KnownSet(name, (name,), tuple(KnownFile(file, 0, "", "") for file in files))
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    for base in [os.environ.get("TQ_HALP_DATA"), shared]:
        if base is not None:
            try:
                return locate(known, Path(base) / name)
            except InputError:
                continue
    pytest.skip(f"{name} is neither in $TQ_HALP_DATA nor beside the checkout")


def mnist():
    """Training images [60000, 784] uint8 and digits, and 10,000 of both for tests."""
    folder = folder_of("mnist", MNIST)

    def read(file, header, *shape):
        content = gzip.decompress((folder / file).read_bytes())
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)

    return (
        read(MNIST[0], 16, 60_000, 784),
        read(MNIST[1], 8, 60_000),
        read(MNIST[2], 16, 10_000, 784),
        read(MNIST[3], 8, 10_000),
    )


def a9a():
    """Training features [32561, 123] and labels of -1 and 1, and 16,281 of both for tests."""
    folder = folder_of("libsvm", ["a9a", "a9a.t"])

    def read(file):
        lines = (folder / file).read_text().splitlines()
        x, y = np.zeros((len(lines), 123), np.uint8), np.empty(len(lines), int)
        for row, line in enumerate(lines):
            label, *present = line.split()
            y[row] = int(label)
            x[row, [int(feature.split(":")[0]) - 1 for feature in present]] = 1
        return x, y

    return *read("a9a"), *read("a9a.t")
