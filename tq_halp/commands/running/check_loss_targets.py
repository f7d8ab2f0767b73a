"""Checks that a loss is defined for a data set's targets and a model's outputs.

Keras computes a loss of any two arrays. A crossentropy truncates the class 0.9 to 0, and decreases
without bound for a probability of 5. So undefined combinations are refused before a run begins.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tq_halp.data import Dataset
from tq_halp.errors import InputError
from tq_halp.first_non_finite import place

#: A loss of Keras: an object of `keras.losses.Loss`, or a function of targets and outputs.
Loss = Any
#: Losses of one kind, each as its class and its function.
Kind = Sequence[tuple[type, Callable[..., Any]]]

_losses = keras.losses
# The kinds of crossentropies.
SPARSE = ((_losses.SparseCategoricalCrossentropy, _losses.sparse_categorical_crossentropy),)
ONE_HOT = (
    (_losses.CategoricalCrossentropy, _losses.categorical_crossentropy),
    (_losses.CategoricalFocalCrossentropy, _losses.categorical_focal_crossentropy),
)
BINARY = (
    (_losses.BinaryCrossentropy, _losses.binary_crossentropy),
    (_losses.BinaryFocalCrossentropy, _losses.binary_focal_crossentropy),
)
# Other losses that are not defined for every number.
_DIVERGENCE = ((_losses.KLDivergence, _losses.kl_divergence),)
_NOT_NEGATIVE = (
    (_losses.Poisson, _losses.poisson),
    (_losses.MeanSquaredLogarithmicError, _losses.mean_squared_logarithmic_error),
)
_SIGNS = ((_losses.Hinge, _losses.hinge), (_losses.SquaredHinge, _losses.squared_hinge))
_ONE_HOT_ONLY = ((_losses.CategoricalHinge, _losses.categorical_hinge),)

_SUM = 1e-3  # tolerance of the sum of an example's probabilities, which may be float16


def is_of(loss: Loss, kind: Kind) -> bool:
    """Whether a loss, an object or a function, is of a kind."""
    return any(isinstance(loss, made) or loss is function for made, function in kind)


def takes_logits(loss: Loss) -> bool:
    """Whether a crossentropy takes logits."""
    return bool(_arguments(loss).get("from_logits", False))


def check_targets(loss: Loss, output: np.ndarray, dataset: Dataset) -> None:
    """Checks that `loss` is defined for all targets of the data set.

    Args:
        output: the model's output for some examples, [n, ...].

    Raises:
        InputError: it is not; the message names the array and the place.
    """
    _check_shape(loss, output, dataset)
    parts = _parts(dataset)
    for name, y in parts.items():
        _check_values(f"{dataset.name}: {name}", loss, output, y)
    if any(is_of(loss, kind) for kind in (SPARSE, ONE_HOT, BINARY)):
        first = dataset.train[1][0]
        if all((y == first).all() for y in parts.values()):
            raise InputError(
                f"{dataset.name}: every label is {first.tolist()}, expected two classes or more"
            )


def check_probabilities(subject: str, loss: Loss, output: np.ndarray) -> None:
    """Checks that a crossentropy of probabilities gets probabilities.

    Args:
        subject: how the message begins.
        output: the model's output for some examples, [n, ...].

    Raises:
        InputError: the outputs are no probabilities.
    """
    kinds = (kind for kind in (SPARSE, ONE_HOT, BINARY) if is_of(loss, kind))
    kind = next(kinds, None)
    if kind is None or takes_logits(loss):
        return
    are = output.min() >= 0 and output.max() <= 1
    if kind is not BINARY:
        are = are and np.allclose(output.astype(np.float64).sum(axis=-1), 1, atol=1e-2)
    if not are:
        made = next(made for made, function in kind if is_of(loss, ((made, function),)))
        raise InputError(
            f"{subject}: the model's outputs are no probabilities; for logits write "
            f"{{class_name: {made.__name__}, config: {{from_logits: true}}}}"
        )


def _check_shape(loss: Loss, output: np.ndarray, dataset: Dataset) -> None:
    """InputError for targets whose shape the loss cannot take with such outputs."""
    shape = dataset.train[1].shape[1:]
    wanted = output.shape[1:-1] if is_of(loss, SPARSE) else output.shape[1:]
    # Keras adds or removes a last axis of one, but broadcasts other shapes that differ.
    if shape not in (wanted, (*wanted, 1)) and (*shape, 1) != wanted:
        raise InputError(
            f"{dataset.name}: y has shape {shape} per example, expected {wanted} for an output of "
            f"shape {output.shape[1:]}"
        )


def _check_values(subject: str, loss: Loss, output: np.ndarray, y: np.ndarray) -> None:
    """InputError for a target that is outside the loss' domain."""
    if is_of(loss, SPARSE):
        classes = output.shape[-1]
        right = (y >= 0) & (y < classes) & (y == np.floor(y))
        ignored = _arguments(loss).get("ignore_class")
        right |= False if ignored is None else y == ignored
        valid = f"classes from 0 to {classes - 1}, as many as the model has outputs"
    elif is_of(loss, (*ONE_HOT, *_DIVERGENCE)):
        _check_sums(subject, _arguments(loss).get("axis", -1), output, y)
        right, valid = y >= 0, "shares of an example, 0 or above"
    elif is_of(loss, BINARY):
        right, valid = (y >= 0) & (y <= 1), "numbers from 0 to 1"
    elif is_of(loss, _NOT_NEGATIVE):
        right, valid = y >= 0, "numbers of 0 or above"
    elif is_of(loss, _SIGNS):
        low = 0 if (y == 0).any() else -1
        right, valid = (y == low) | (y == 1), "-1 and 1, or 0 and 1"
    elif is_of(loss, _ONE_HOT_ONLY):
        right, valid = (y == 0) | (y == 1), "0 and 1"
    else:
        return
    if not right.all():
        index = tuple(map(int, np.argwhere(~right)[0]))
        raise InputError(f"{subject}{place(index)} is {y[index]}, expected {valid}")


def _check_sums(subject: str, axis: int, output: np.ndarray, y: np.ndarray) -> None:
    """InputError for an example whose probabilities do not add up to 1."""
    y = y[..., None] if y.ndim < output.ndim else y.reshape(len(y), *output.shape[1:])
    sums = y.sum(axis=axis, dtype=np.float64)
    wrong = np.abs(sums - 1) > _SUM
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        raise InputError(
            f"{subject}{place(index)} adds up to {sums[index]:g}, expected shares of an example "
            "whose sum is 1"
        )


def _parts(dataset: Dataset) -> dict[str, np.ndarray]:
    """The targets of each part of the data set."""
    parts = {"y_train": dataset.train[1], "y_validation": dataset.validation[1]}
    return parts if dataset.test is None else {**parts, "y_test": dataset.test[1]}


def _arguments(loss: Loss) -> dict:
    """The configuration of a loss object; {} of a function."""
    return loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
