"""Keras' optimizers and schedules, as a config names them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tq_halp.config import Config, Schedule
from tq_halp.config.values import is_number
from tq_halp.errors import InputError
from tq_halp.settings import suggestion

# What Keras' constructors raise of a wrong value.
_REFUSALS = (TypeError, ValueError, AttributeError, LookupError)


def build_optimizer(config: Config) -> keras.optimizers.Optimizer:
    """The Keras optimizer that `config.optimizer` names, in any case, with its further arguments.

    Raises:
        InputError: no such optimizer, argument or schedule, or a value that Keras refuses.
    """
    wanted = config.optimizer
    known = {
        name: value
        for name, value in vars(keras.optimizers).items()
        if inspect.isclass(value) and issubclass(value, keras.optimizers.Optimizer)
    }
    del known["Optimizer"]  # The abstract one.
    kind = {name.lower(): value for name, value in known.items()}.get(wanted.name.lower())
    if kind is None:
        raise InputError(
            f"{config.subject('optimizer', 'name')}: no Keras optimizer {wanted.name!r}"
            f"{suggestion(wanted.name, list(known))}"
        )
    _check(kind, wanted.model_extra, lambda name: config.subject("optimizer", name))
    rate = number_or_schedule(config, wanted.learning_rate, ("optimizer", "learning_rate"))
    try:
        return kind(learning_rate=rate, **wanted.model_extra)
    except _REFUSALS as error:
        raise InputError(f"{config.subject('optimizer')}: {error}") from error


def number_or_schedule(config: Config, value, path: tuple[str, ...]):
    """`value`, which stands at `path`; a schedule as Keras' object."""
    if not isinstance(value, Schedule):
        return value
    known = [name for name in vars(keras.optimizers.schedules) if name[0].isupper()]
    known.remove("LearningRateSchedule")  # The abstract one.
    if value.class_name not in known:
        raise InputError(
            f"{config.subject(*path, 'class_name')}: no Keras schedule {value.class_name!r}"
            f"{suggestion(value.class_name, known)}"
        )
    kind, where = getattr(keras.optimizers.schedules, value.class_name), (*path, "config")
    _check(kind, value.config, lambda name: config.subject(*where, name))
    try:
        return kind(**value.config)
    except _REFUSALS as error:
        raise InputError(f"{config.subject(*where)}: {error}") from error


def _check(kind: type, given: Mapping[str, Any], subject: Callable[[str], str]) -> None:
    """InputError for an argument that a class does not have, or of a type that means nothing there.

    Keras takes a word for true, also "no", and fails of another in the first step.
    """
    parameters = dict(inspect.signature(kind).parameters)
    parameters.pop("kwargs", None)
    for name, value in given.items():
        if name not in parameters:
            raise InputError(
                f"{subject(name)}: {kind.__name__} has no such argument"
                f"{suggestion(name, list(parameters))}"
            )
        valid = _valid(parameters[name].default, value)
        if valid is not None:
            raise InputError(f"{subject(name)}: received {value!r}, expected {valid}")


def _valid(default, value) -> str | None:
    """What would be valid for an argument with that default; None if the value may be."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, (int, float)):
        return None if is_number(value) else "a number"
    # None, or no default: numbers and lists in Keras' optimizers and schedules.
    is_word = isinstance(value, str) and not isinstance(default, str)
    return "a number, or what Keras documents" if is_word else None
