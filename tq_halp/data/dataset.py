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
    #: The requested set; it differs from `name` after a fallback.
    requested: str
    train: Examples
    #: For evaluations during a run, and for choosing settings.
    validation: Examples
    #: For one evaluation after the run; None if the set has no such part.
    test: Examples | None = None
    #: Number of distinct tokens; None if the examples are not tokens.
    vocabulary_size: int | None = None
    #: Number of classes; None if the task is not classification.
    classes: int | None = None
    #: Where the data came from: a folder, or a description.
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
