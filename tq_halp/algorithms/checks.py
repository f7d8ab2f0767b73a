"""What an algorithm cannot train, said before it begins."""

import inspect
import numbers
from collections.abc import Mapping

import keras

from tq_halp.errors import InputError

# The arguments of any Keras model, and those of a signature that are none.
_OF_KERAS, _UNNAMED = {"name", "dtype", "trainable"}, {"self", "kwargs"}
# What Keras calls on the model that is trained, and what does the same on a model within one.
_NOT_CALLED = {
    "train_step": "a loss function or add_loss",
    "compute_loss": "a loss function or add_loss",
    "compute_metrics": "metrics given to compile",
    "test_step": "metrics given to compile",
    "predict_step": "call",
}


def check_model(model: object, name: str) -> None:
    """InputError unless ``model`` is one that the algorithm called ``name`` can be built around."""
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
    """InputError if a trainer of this class is given arguments that it does not have."""
    unknown = sorted(further.keys() - _OF_KERAS)
    if unknown:
        own = [n for n in inspect.signature(kind.__init__).parameters if n not in _UNNAMED]
        raise InputError(
            f"{unknown[0]} must be left out of {kind.__name__}, which has the arguments "
            f"{', '.join([*own, *sorted(_OF_KERAS)])}. Received: {further[unknown[0]]!r}"
        )


def checked_part(name: str, part: object, kind: type) -> object:
    """``part``; InputError unless it is a ``kind`` that belongs to no trainer yet."""
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


def checked_seed(seed: object) -> int:
    """The seed as an int; InputError unless it is an integer from 0 to 2⁶³ − 1."""
    is_integer = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not is_integer or not 0 <= seed < 2**63:
        raise InputError(f"seed must be an integer from 0 to 2**63 - 1. Received: {seed!r}")
    return int(seed)


def check_names(logs: dict, diagnostics: dict, name: str) -> None:
    """InputError if a metric of the user's has the name of one of the algorithm's numbers."""
    for each in diagnostics:
        if each in logs:
            raise InputError(
                f"metrics must not be called {each!r}, which is what {name} calls a number of its "
                "own in the logs; give the metric another name"
            )


def check_trainable(algorithm: keras.Model, weights_with_copies: list[int] | None) -> None:
    """InputError if there is nothing to train, or something else than the algorithm was built for.

    Args:
        weights_with_copies: ids of the weights of which the algorithm keeps something, in order.
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
