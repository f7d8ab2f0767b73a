"""MNIST and a9a, with their test sets."""

from tq_halp.data.files import KnownSet
from tq_halp.data.libsvm import KNOWN, read_files
from tq_halp.data.locate import locate
from tq_halp.data.mnist import MNIST, read_flat

NAMES = ("a9a", "mnist")
A9A = KnownSet(name="a9a", folders=("a9a", "libsvm"), files=(KNOWN["a9a"], KNOWN["a9a.t"]))


def load(name):
    """x, float32, and labels for training, then for testing; None if they are not to be had."""
    known = {"a9a": A9A, "mnist": MNIST}[name]
    folder = locate(known)
    if folder is None:
        return None
    if name == "mnist":
        return *read_flat(folder, "train"), *read_flat(folder, "t10k")
    (x, x_test), (labels, labels_test) = read_files(folder, known.files)
    return x, labels, x_test, labels_test
