"""Data sets as NumPy arrays; no training, no TensorFlow."""

from tq_halp.data.dataset import Dataset
from tq_halp.data.language import load_language
from tq_halp.data.synthetic import linear_regression

__all__ = ["Dataset", "linear_regression", "load_language"]
