"""Data sets as NumPy arrays; no training, no TensorFlow."""

from tq_halp.data.dataset import Dataset
from tq_halp.data.language import load_language
from tq_halp.data.synthetic import linear_regression

__all__ = ["Dataset", "linear_regression", "load", "load_language"]


def load(settings) -> Dataset:
    """The set that a config's `data` section names, or the one that stands in for it.

    Raises:
        InputError: its files are missing from `data.dir`, truncated or altered, or too short.
    """
    s = settings
    if s.name == "linear_regression":
        return linear_regression(
            samples=s.samples, features=s.features, noise=s.noise, seed=s.seed, limit=s.limit
        )
    return load_language(
        s.name,
        directory=s.dir,
        sequence_length=s.sequence_length,
        limit=s.limit,
        validation_limit=s.validation_limit,
        vocabulary_size=s.vocabulary_size,
    )
