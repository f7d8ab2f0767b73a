"""The data set that every loader returns."""

from dataclasses import dataclass

import numpy as np

Examples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples for training, validation and a test, and where they came from.

    Language models: x, y int32 (windows, sequence_length); y is x shifted by one token.
    Classification: x float32 (samples, features), or images uint8 (samples, height, width,
    channels); y int32 (samples,), from 0 to classes - 1. Regression: x (samples, features), y
    (samples, 1), of one floating-point dtype. A user's own arrays: any shapes and dtypes of
    numbers, with the samples along the first axis.
    """

    #: The set that was actually loaded.
    name: str
    #: The set that was asked for; differs from `name` after a fallback.
    requested: str
    train: Examples
    #: What a run is judged by while it goes on, and settings are chosen by.
    validation: Examples
    #: What is looked at once, when a run has finished; None where the set has nothing for it.
    test: Examples | None = None
    #: Distinct tokens; None where the examples are not tokens.
    vocabulary_size: int | None = None
    #: Kinds of examples that are to be told apart; None where that is not the task.
    classes: int | None = None
    #: The folder, or the words, that tell where the data came from.
    source: str = ""

    @property
    def is_fallback(self) -> bool:
        """Whether another set than the requested one was loaded."""
        return self.name != self.requested

    @property
    def train_size(self) -> int:
        """Number of training examples (windows for a language model)."""
        return len(self.train[0])


def of_ten_kinds(
    name: str,
    examples: Examples,
    held_out: int,
    test: Examples,
    *,
    limit: int | None,
    validation_limit: int | None,
    source: str,
) -> Dataset:
    """An image set of ten classes, whose last `held_out` training examples validate."""
    x, y = examples
    return Dataset(
        name=name,
        requested=name,
        train=first((x[:-held_out], y[:-held_out]), limit),
        validation=first((x[-held_out:], y[-held_out:]), validation_limit),
        test=first(test, validation_limit),
        classes=10,
        source=source,
    )


def first(examples: Examples, count: int | None) -> Examples:
    """The first `count` examples; None takes all."""
    x, y = examples
    return x[:count], y[:count]
