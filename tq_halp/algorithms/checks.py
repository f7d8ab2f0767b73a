"""Checks of a trainer's arguments and of its model; each raises InputError."""

import inspect
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import keras

from tq_halp.algorithms.algorithm_part import Part
from tq_halp.errors import InputError

PartT = TypeVar("PartT", bound=Part)

# The arguments that any Keras model takes in **kwargs, and parameters that are no arguments.
_OF_KERAS, _UNNAMED = {"name", "dtype", "trainable"}, {"self", "kwargs"}
# Methods that Keras calls on the trainer, not on the model inside; what the user can use instead.
_NOT_CALLED = {
    "train_step": "a loss function or add_loss",
    "compute_loss": "a loss function or add_loss",
    "compute_metrics": "metrics given to compile",
    "test_step": "metrics given to compile",
    "predict_step": "call",
}


def check_model(model: object, name: str) -> None:
    """Raises InputError unless the algorithm called ``name`` can train ``model``."""
    if not isinstance(model, keras.Model):
        raise InputError(
            f"model must be a keras.Model. Received: {model!r} of type {type(model).__name__}"
        )
    for method, instead in _NOT_CALLED.items():
        own = getattr(type(model), method) is not getattr(keras.Model, method)
        if own or method in vars(model):
            raise InputError(
                f"model must not have a {method} of its own, which {name} would "
                f"not call; {type(model).__name__} has one. Use {instead}"
            )


def check_arguments(kind: type, further: Mapping[str, object]) -> None:
    """Raises InputError if ``further``, the **kwargs of a ``kind``, has an unknown argument."""
    unknown = sorted(further.keys() - _OF_KERAS)
    if unknown:
        parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
        own = [name for name in parameters if name not in _UNNAMED]
        raise InputError(
            f"{unknown[0]} must be left out of {kind.__name__}, which has the arguments "
            f"{', '.join([*own, *sorted(_OF_KERAS)])}. Received: {further[unknown[0]]!r}"
        )


def checked_part(name: str, part: object, kind: type[PartT]) -> PartT:
    """Returns ``part``; raises InputError unless it is a ``kind`` and belongs to no trainer yet."""
    if not isinstance(part, kind):
        raise InputError(
            f"{name} must be of a class that extends tq_halp.algorithms.{kind.__name__}. "
            f"Received: {part!r}"
        )
    if part.trainer is not None:
        raise InputError(
            f"{name} must not be a part of another trainer. Received: {part!r} of "
            f"{part.trainer.name!r}; make a new one"
        )
    return part


def check_one_of(name: str, value: Any, valid: Sequence[Any]) -> None:
    """Raises InputError unless the argument ``name`` has one of the ``valid`` values."""
    if not any(type(value) is type(each) and value == each for each in valid):
        *others, last = map(repr, valid)
        raise InputError(f"{name} must be {', '.join(others)} or {last}. Received: {value!r}")


def checked_seed(seed: Any) -> int:
    """Returns the seed as an int; raises InputError unless it is an integer from 0 to 2⁶³ − 1."""
    is_integer = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not is_integer or not 0 <= seed < 2**63:
        raise InputError(f"seed must be an integer from 0 to 2**63 - 1. Received: {seed!r}")
    return int(seed)


def check_names(logs: dict, diagnostics: dict, name: str) -> None:
    """Raises InputError if a metric has the name of one of the diagnostics.

    Args:
        logs: {name: value} of the loss and the metrics.
        diagnostics: {name: value} of the numbers that the trainer adds to the logs.
        name: of the algorithm.
    """
    for each in diagnostics:
        if each in logs:
            raise InputError(
                f"metrics must not be called {each!r}, which is what {name} calls a number of its "
                "own in the logs; give the metric another name"
            )


def check_trainable(algorithm: keras.Model, weights_with_copies: list[int] | None) -> None:
    """Raises InputError if no weight is trainable, or other weights than when states were created.

    Args:
        algorithm: the trainer.
        weights_with_copies: ``States.weights``: ids of the weights for which parts have variables.
    """
    name, trained = type(algorithm).__name__, algorithm.trainable_variables
    if not trained:
        raise InputError(
            f"model must have a trainable weight for {name} to train. Received: "
            f"{algorithm.model.name!r}, in which all weights are frozen, or which has none"
        )
    if weights_with_copies not in (None, [id(variable) for variable in trained]):
        raise InputError(
            f"model has other trainable weights than when {name} was built "
            "around it: freeze or unfreeze layers first, then build it anew"
        )
