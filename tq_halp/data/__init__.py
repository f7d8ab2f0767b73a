"""Data sets as NumPy arrays: loaders, search and download. No TensorFlow."""

import functools
from collections.abc import Callable
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


#: By their names in a config; each takes the keys that the name has there.
_LOADERS: dict[str, Callable[..., Dataset]] = {
    **{
        name: functools.partial(load_language, name)
        for name in ("ptb", "tiny_shakespeare", "python_docs")
    },
    "linear_regression": linear_regression,
    "mnist": load_mnist,
    "cifar10": load_cifar10,
    "libsvm": load_libsvm,
    "arrays": load_arrays,
}


def load(settings: Any) -> Dataset:
    """The data set that a config's `data` section names, or the one that replaces it.

    Args:
        settings: an object with a `name` and further keys of that name.

    Raises:
        InputError: files are missing from `data.dir`, truncated, altered or too short. Image sets
            and libsvm files, which have no replacement, must be found or fetched.
    """
    given = dict(vars(settings))
    name = given.pop("name")
    if "dir" in given:
        given["directory"] = given.pop("dir")
    return _LOADERS[name](**given)
