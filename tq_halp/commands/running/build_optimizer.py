"""Keras' optimizers and learning-rate schedules from a config."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tq_halp.commands.running.optimizer_arguments import valid_values
from tq_halp.config import Config, Schedule
from tq_halp.config.value_types import is_number
from tq_halp.errors import InputError, reason
from tq_halp.settings_with_origins import suggestion

# Exceptions of Keras' constructors for a wrong value.
_REFUSALS = (TypeError, ValueError, AttributeError, LookupError)


def build_optimizer(config: Config, **more: Any) -> keras.optimizers.Optimizer:
    """The Keras optimizer that `config.optimizer` describes; its name in any case.

    Args:
        more: arguments that replace those of the config.

    Raises:
        InputError: there is no such optimizer, argument or schedule, or a value is not valid.
    """
    wanted = config.optimizer
    known = {
        name: value
        for name, value in vars(keras.optimizers).items()
        if inspect.isclass(value) and issubclass(value, keras.optimizers.Optimizer)
    }
    del known["Optimizer"]  # the abstract class
    kind = {name.lower(): value for name, value in known.items()}.get(wanted.name.lower())
    if kind is None:
        raise InputError(
            f"{config.subject('optimizer', 'name')}: no Keras optimizer {wanted.name!r}"
            f"{suggestion(wanted.name, list(known))}"
        )
    _check(kind, wanted.model_extra, lambda name: config.subject("optimizer", name))
    rate = number_or_schedule(config, wanted.learning_rate, ("optimizer", "learning_rate"))
    # Keras accepts 0.0 as a momentum, but not 0.
    defaults = inspect.signature(kind).parameters
    given = {
        name: float(value) if isinstance(defaults[name].default, float) else value
        for name, value in wanted.model_extra.items()
    }
    try:
        return kind(**{"learning_rate": rate, **given, **more})
    except _REFUSALS as error:
        raise InputError(f"{config.blame('optimizer', str(error))}: {reason(error)}") from error


def check_step(config: Config, model: keras.Model) -> None:
    """Checks that the optimizer of a config can train the model's weights.

    It makes one step from weights of 1 along gradients of 1, for the smallest weight of each dtype
    and rank.

    Raises:
        InputError: the step fails, or leaves a weight that is not finite.
    """
    kinds: dict[tuple[str, int], keras.Variable] = {}
    for variable in sorted(model.trainable_variables, key=lambda v: math.prod(v.shape)):
        kinds.setdefault((variable.dtype, len(variable.shape)), variable)
    # Keras numbers optimizers without a name, and the number would appear in saved files.
    optimizer = build_optimizer(config, name="trial")
    weights = [
        keras.Variable("ones", shape=v.shape, dtype=v.dtype, name=v.name) for v in kinds.values()
    ]
    try:
        optimizer.apply([keras.ops.ones_like(weight) for weight in weights], weights)
    except Exception as error:  # TensorFlow may raise anything.
        types = ", ".join(sorted({weight.dtype for weight in weights}))
        raise InputError(
            f"{config.blame('optimizer', str(error))}: {type(optimizer).__name__} cannot train "
            f"weights of {types} with these arguments: {reason(error)}"
        ) from error
    given = ["learning_rate", *config.optimizer.model_extra]
    if not all(np.isfinite(np.asarray(weight, np.float64)).all() for weight in weights):
        raise InputError(
            f"{config.blame('optimizer', ' '.join(given))}: a step from 1 along a gradient of 1 "
            "leaves a weight that is no finite number; expected smaller arguments"
        )


def number_or_schedule(config: Config, value: Any, path: tuple[str, ...]) -> Any:
    """`value`, which the config has at `path`; a schedule becomes Keras' object.

    Raises:
        InputError: there is no such schedule, or Keras refuses its arguments.
    """
    if not isinstance(value, Schedule):
        return value
    known = [name for name in vars(keras.optimizers.schedules) if name[0].isupper()]
    known.remove("LearningRateSchedule")  # the abstract class
    if value.class_name not in known:
        raise InputError(
            f"{config.subject(*path, 'class_name')}: no Keras schedule {value.class_name!r}"
            f"{suggestion(value.class_name, known)}"
        )
    kind, where = getattr(keras.optimizers.schedules, value.class_name), (*path, "config")
    _check(kind, value.config, lambda name: config.subject(*where, name))
    try:
        return kind(**_with_floats(value.config))
    except _REFUSALS as error:
        raise InputError(f"{config.subject(*where)}: {reason(error)}") from error


def _with_floats(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a schedule, whole numbers as floats, numbers of steps apart.

    Keras computes a schedule in the type of its first rate: with `1` in place of `1.0` a half of it
    would be 0, and π would be 3.
    """
    found = dict(arguments)
    for name, value in arguments.items():
        if is_number(value) and not name.endswith("steps"):
            found[name] = float(value)
        if name == "values":
            found[name] = [float(each) for each in value]
    return found


def _check(kind: type, given: Mapping[str, Any], subject: Callable[[str], str]) -> None:
    """InputError for an argument that a class does not have, or whose value has no meaning there.

    Keras takes any word, also "no", for true, and fails for others only in the first step.
    """
    parameters = dict(inspect.signature(kind).parameters)
    parameters.pop("kwargs", None)
    for name, value in given.items():
        if name not in parameters:
            raise InputError(
                f"{subject(name)}: {kind.__name__} has no such argument"
                f"{suggestion(name, list(parameters))}"
            )
        valid = valid_values(name, parameters[name].default, value)
        if valid is not None:
            raise InputError(f"{subject(name)} must be {valid}. Received: {value!r}")
