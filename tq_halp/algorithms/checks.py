"""What an algorithm cannot train, said before it begins."""

import numbers

import keras

from tq_halp.errors import InputError


def check_model(model: object, name: str) -> None:
    """InputError unless ``model`` is one that the algorithm called ``name`` can be built around."""
    if not isinstance(model, keras.Model):
        raise InputError(
            f"model must be a keras.Model. Received: {model!r} of type {type(model).__name__}"
        )
    for method in ("train_step", "compute_loss"):
        if getattr(type(model), method) is not getattr(keras.Model, method):
            raise InputError(
                f"model must not have a {method} of its own, which {name} would "
                f"not call; {type(model).__name__} has one. Use a loss function or add_loss"
            )


def checked_seed(seed: object) -> int:
    """The seed as an int; InputError unless it is an integer."""
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool):
        raise InputError(f"seed must be an integer. Received: {seed!r}")
    return int(seed)


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
