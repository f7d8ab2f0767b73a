"""What every loader returns."""

from dataclasses import dataclass

import numpy as np

Examples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and validation examples, and the truth about where they came from.

    Language models: x, y int32 of shape (windows, sequence_length), y being x one token later.
    Regression: x (samples, features), y (samples, 1), float64.
    """

    #: The set that was actually loaded.
    name: str
    #: The set that was asked for; differs from `name` after a fallback.
    requested: str
    train: Examples
    validation: Examples
    #: Distinct tokens; None where the examples are not tokens.
    vocabulary_size: int | None = None
    #: The folder, or the words, that tell where the data came from.
    source: str = ""

    @property
    def is_fallback(self) -> bool:
        """True if another set than the one asked for was loaded."""
        return self.name != self.requested

    @property
    def train_size(self) -> int:
        """Number of training examples (windows for a language model)."""
        return len(self.train[0])
