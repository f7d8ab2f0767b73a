"""Data sets as NumPy arrays: loaders, search and download. No TensorFlow."""

from typing import Any

from tq_halp.data.arrays import load_arrays, read_npz
from tq_halp.data.cifar10 import load_cifar10
from tq_halp.data.dataset import Dataset
from tq_halp.data.language import load_language
from tq_halp.data.libsvm import load_libsvm
from tq_halp.data.mnist import load_mnist
from tq_halp.data.synthetic import linear_regression

__all__ = [
    "Dataset",
    "linear_regression",
    "load",
    "load_arrays",
    "load_cifar10",
    "load_language",
    "load_libsvm",
    "load_mnist",
    "read_npz",
]


def load(settings: Any) -> Dataset:
    """The data set that a config's `data` section names, or the one that replaces it.

    Args:
        settings: the section: `name`, and the keys that belong to it.

    Raises:
        InputError: files are missing from `data.dir`, truncated, altered or too short. Image sets
            and libsvm files, which have no replacement, must be found or fetched.
    """
    s = settings
    if s.name == "arrays":
        return load_arrays(
            s.file, sha256=s.sha256, limit=s.limit, validation_limit=s.validation_limit
        )
    limits = {"directory": s.dir, "limit": s.limit, "validation_limit": s.validation_limit}
    if s.name == "linear_regression":
        return linear_regression(
            samples=s.samples, features=s.features, noise=s.noise, seed=s.seed, limit=s.limit
        )
    if s.name == "mnist":
        return load_mnist(**limits)
    if s.name == "cifar10":
        return load_cifar10(**limits)
    if s.name == "libsvm":
        return load_libsvm(s.file, test_file=s.test_file, task=s.task, **limits)
    return load_language(
        s.name,
        sequence_length=s.sequence_length,
        vocabulary_size=s.vocabulary_size,
        **limits,
    )
