"""MNIST and a9a, with their test sets."""

import numpy as np

from tq_halp.bench.linear_data import MNIST, mnist
from tq_halp.data.files import KnownFile, KnownSet, read_verified
from tq_halp.data.locate import locate

NAMES = ("a9a", "mnist")
_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"
A9A = KnownSet(
    name="a9a",
    folders=("a9a", "libsvm"),
    files=(
        KnownFile(
            "a9a",
            2329875,
            "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
            _URL + "a9a",
        ),
        KnownFile(
            "a9a.t",
            1164628,
            "1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9",
            _URL + "a9a.t",
        ),
    ),
)
A9A_FEATURES = 123


def load(name):
    """x and labels for training, then for testing, float32; None if they are not to be had."""
    known = {"a9a": A9A, "mnist": MNIST}[name]
    folder = locate(known)
    if folder is None:
        return None
    if name == "mnist":
        return *mnist(folder, "train"), *mnist(folder, "t10k")
    train, test = (sparse_text(read_verified(folder, file), A9A_FEATURES) for file in A9A.files)
    return *train, *test


def sparse_text(text, features):
    """libsvm's format, a line per sample: its label, then index:value, the first index being 1."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    x = np.zeros((len(lines), features), np.float32)
    for row, (_, *entries) in zip(x, lines, strict=True):
        for entry in entries:
            index, value = entry.split(":")
            row[int(index) - 1] = float(value)
    return x, np.array([float(label) for label, *_ in lines])
