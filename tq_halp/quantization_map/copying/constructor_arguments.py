"""Layers and models of a user's own class, made anew: with which arguments, and whether it worked.

`get_config` is what knows the arguments of a constructor. A class that has none of its own gets one
from Keras, which is empty or wrong for models: it gives the defaults, whatever the arguments were.
There an argument is looked for in the attribute of its name, as in `self.units = units`; and a copy
only counts if every layer in it is configured as in the source.
"""

import copy
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.quantized_classes import quantized_class
from tq_halp.quantization_map.layer_tree import children

_OF_KERAS = ("name", "trainable", "dtype")
# Attributes of any layer or model that say nothing about how it was made.
_OF_TRAINING = (
    *("built", "compiled", "stop_training", "loss", "steps_per_execution", "jit_compile"),
    *("run_eagerly", "supports_jit", "use_cudnn", "optimizer", "auto_scale_loss"),
    *("train_function", "test_function", "predict_function"),
)
_SIMPLE = (bool, int, float, str, type(None))


def serialize(source: keras.Layer) -> dict:
    """What Keras deserializes into a copy of `source`, not yet built.

    Raises:
        InputError: nobody knows the arguments of its constructor.
    """
    source_class = type(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas: nothing leaves the process here
            if knows_itself(source):
                config = keras.saving.serialize_keras_object(source)
                kept = ("module", "class_name", "config", "registered_name")
                return _unbuilt({key: config[key] for key in kept})
    except (NotImplementedError, TypeError, ValueError, AttributeError) as error:
        raise no_copy(source.name, source_class.__name__, error) from error
    return {
        "module": source_class.__module__,
        "class_name": source_class.__name__,
        "config": _arguments(source),
        "registered_name": keras.saving.get_registered_name(source_class),
    }


def knows_itself(layer: keras.Layer) -> bool:
    """Whether the class of a layer has a `get_config` that is about that class."""
    if type(layer).__module__.split(".")[0] == "keras":
        return True
    definer = next(each for each in type(layer).__mro__ if "get_config" in vars(each))
    return definer.__module__.split(".")[0] != "keras"


def construct(config: dict, drawing: dict, safe_mode: bool) -> keras.Layer:
    """The copy that `serialize` describes, of a layer with that blueprint.

    Raises:
        InputError: its class does not take its own configuration.
    """
    try:
        # Where a whole model is being loaded, its safe_mode goes before this one.
        # Some classes of Keras take their configuration apart.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=safe_mode)
    except InputError:
        raise
    except Exception as error:  # of the user's own code
        if str(error).startswith("Could not locate class"):
            raise InputError(f"{drawing['name']}: {str(error).splitlines()[0]}") from error
        raise no_copy(drawing["name"], drawing["class"], error) from error


def check_same(sources: Sequence[keras.Layer], copies: Sequence[keras.Layer]) -> None:
    """Raises InputError unless each copy is configured as its source."""
    for source, made in zip(sources, copies, strict=True):
        ours, theirs = _facts(source), _facts(made)
        for key in ours:
            if key in theirs and ours[key] != theirs[key]:
                error = f"{key} of {source.name} is {theirs[key]!r}, not {ours[key]!r}"
                raise no_copy(sources[0].name, type(sources[0]).__name__, error)


def no_copy(name: str, class_name: str, error: Any) -> InputError:
    """The error for what cannot be copied, for the reason that somebody gave."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(
        f"{name} ({class_name}) cannot be copied: give its class a get_config that returns the "
        "arguments of its constructor, or build the model inside QuantizationMap.scope(). "
        f"Received: {lines[-1]}"
    )


def _arguments(source: keras.Layer) -> dict[str, Any]:
    """The arguments of a constructor, from attributes of their names or else from Keras."""
    try:
        arguments = dict(source.get_config())
    except NotImplementedError:
        arguments = {}
    parameters = inspect.signature(type(source).__init__).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        arguments = {key: value for key, value in arguments.items() if key in names}
    for name in names - set(_OF_KERAS):
        if isinstance(vars(source).get(name, inspect), _SIMPLE):
            arguments[name] = vars(source)[name]
    return arguments


def _unbuilt(config: Any) -> Any:
    """A configuration in which no layer says how to build it: the blueprint does, in its place."""
    if isinstance(config, (list, tuple)):
        return [_unbuilt(each) for each in config]
    if not isinstance(config, dict):
        return config
    is_object = "class_name" in config and "config" in config
    dropped = ("build_config",) if is_object else ()
    return {key: _unbuilt(value) for key, value in config.items() if key not in dropped}


def _facts(layer: keras.Layer) -> dict[str, Any]:
    """What two equal layers have in common, by name."""
    facts = {key: value for key, value in vars(layer).items() if isinstance(value, _SIMPLE)}
    if quantized_class(type(layer)) is not None or not children(layer):
        roles = getattr(layer, "roles", ())
        facts |= {key: v for key, v in layer.get_config().items() if key not in roles}
    return {k: v for k, v in facts.items() if not k.startswith("_") and k not in _OF_TRAINING}
