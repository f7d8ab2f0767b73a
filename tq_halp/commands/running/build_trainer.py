"""From a config's `algorithm` to the model that trains another one."""

from collections.abc import Mapping
from typing import Any

import keras

from tq_halp import formats
from tq_halp.algorithms import Trainer
from tq_halp.algorithms.config_names import ALGORITHMS, ESTIMATORS, ITERATES
from tq_halp.commands.running.build_optimizer import number_or_schedule
from tq_halp.commands.running.load_keras_model import import_modules
from tq_halp.config import Config
from tq_halp.errors import InputError, reason


def build_trainer(config: Config, model: keras.Model) -> keras.Model:
    """The algorithm of `config.algorithm` around `model`, with the arguments that it has.

    Raises:
        InputError: an argument's value does not go with the others, or a class of the user's own is
            not there or refuses its arguments.
    """
    given = config.used("algorithm")
    if config.algorithm.is_composed:
        return _composed(config, model, given)
    arguments = _arguments(config, given, ("algorithm",))
    try:
        trainer = ALGORITHMS[config.algorithm.name](model, seed=config.seed, **arguments)
    except ValueError as error:
        raise InputError(f"{config.blame('algorithm', str(error))}: {error}") from error
    _check_blocks(config, arguments.get("format"), model)
    return trainer


def _composed(config: Config, model: keras.Model, given: Mapping[str, Any]) -> keras.Model:
    try:
        import_modules(given.get("imports", ()))
    except InputError as error:
        raise InputError(f"{config.subject('algorithm', 'imports')}: {error}") from error
    iterate = _part(config, "iterate", given["iterate"], ITERATES)
    estimator = _part(config, "estimator", given["estimator"], ESTIMATORS)
    try:
        trainer = Trainer(model, estimator=estimator, iterate=iterate, seed=config.seed)
    except ValueError as error:
        raise InputError(f"{config.blame('algorithm', str(error))}: {error}") from error
    _check_blocks(config, given["iterate"].get("format"), model)
    return trainer


def _part(config: Config, axis: str, given: Mapping[str, Any], known: Mapping[str, type]) -> Any:
    """The estimator or the iterate."""
    path = ("algorithm", axis)
    name = given["name"]
    arguments = {key: value for key, value in given.items() if key != "name"}
    if name in known:
        kind, arguments = known[name], _arguments(config, arguments, path)
    else:
        kind = keras.saving.get_registered_object(name)
        if kind is None:
            raise InputError(
                f"{config.subject(*path, 'name')}: received {name!r}, expected the name under "
                "which a module of algorithm.imports registers a class with "
                "keras.saving.register_keras_serializable"
            )
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"{config.subject(*path)}: {name}: {reason(error)}") from error


def _arguments(config: Config, given: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """What a class of ours takes for the keys at `path`."""
    arguments = dict(given)
    for name in ("format", "snapshot_fraction"):  # None: what the class takes by itself.
        if arguments.get(name) is None:
            arguments.pop(name, None)
    if "frac_bits" in arguments:  # Of a fixed grid; in Python that is a format as any other.
        grid = {name: arguments.pop(name) for name in ("word_bits", "frac_bits")}
        arguments["format"] = {"format": "fixed_point", **grid}
    if "coefficient" in arguments:
        where = (*path, "coefficient")
        arguments["coefficient"] = number_or_schedule(config, arguments["coefficient"], where)
    return arguments


def _check_blocks(config: Config, format: Any, model: keras.Model) -> None:
    """Here, for else the first step would say so."""
    for variable in model.trainable_variables if format is not None else ():
        try:
            formats.get(format).check_shape(variable.shape)
        except InputError as error:
            subject = config.blame("algorithm", "format")
            raise InputError(f"{subject}: {variable.path}: {error}") from error
