"""New layers and models of a user's class: finding constructor arguments, checking the result.

`get_config` returns the arguments of a constructor. A class without its own inherits Keras'
`get_config`, which for models is empty or returns the defaults. Then an argument is taken from the
attribute of its name, as in `self.units = units`, and a copy is accepted only if every layer in it
is configured as in the source.
"""

import copy
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.keras_class_table import quantized_class
from tq_halp.quantization_map.layer_tree import children

_OF_KERAS = ("name", "trainable", "dtype")
# Attributes of layers and models that do not depend on the constructor.
_OF_TRAINING = (
    *("built", "compiled", "stop_training", "loss", "steps_per_execution", "jit_compile"),
    *("run_eagerly", "supports_jit", "use_cudnn", "optimizer", "auto_scale_loss"),
    *("train_function", "test_function", "predict_function"),
)
_SIMPLE = (bool, int, float, str, type(None))


def serialize(source: keras.Layer) -> dict:
    """A configuration from which Keras makes a copy of `source`, not built.

    Raises:
        InputError: the arguments of its constructor cannot be found.
    """
    source_class = type(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about lambdas, which are safe within a process
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
    """Whether a layer's `get_config` is Keras' for its own layers, or defined by the user."""
    if type(layer).__module__.split(".")[0] == "keras":
        return True
    definer = next(each for each in type(layer).__mro__ if "get_config" in vars(each))
    return definer.__module__.split(".")[0] != "keras"


def construct(config: dict, spec: dict, safe_mode: bool) -> keras.Layer:
    """The copy from a configuration of `serialize`, of a layer with that build specification.

    Raises:
        InputError: the class of the layer does not accept its configuration.
    """
    try:
        # While a whole model is loaded, the safe_mode of that load takes precedence.
        # A copy, for some classes of Keras modify their configuration.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=safe_mode)
    except InputError:
        raise
    except Exception as error:  # raised by the user's code
        if str(error).startswith("Could not locate class"):
            raise InputError(f"{spec['name']}: {str(error).splitlines()[0]}") from error
        raise no_copy(spec["name"], spec["class"], error) from error


def check_same(sources: Sequence[keras.Layer], copies: Sequence[keras.Layer]) -> None:
    """Checks that each copy is configured as its source, or raises InputError."""
    for source, made in zip(sources, copies, strict=True):
        ours, theirs = _facts(source), _facts(made)
        for key in ours:
            if key in theirs and ours[key] != theirs[key]:
                error = f"{key} of {source.name} is {theirs[key]!r}, not {ours[key]!r}"
                raise no_copy(sources[0].name, type(sources[0]).__name__, error)


def no_copy(name: str, class_name: str, error: Any) -> InputError:
    """The error for a layer that cannot be copied, with the reason in `error`."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(
        f"{name} ({class_name}) cannot be copied: give its class a get_config that returns the "
        "arguments of its constructor, or build the model inside QuantizationMap.scope(). "
        f"Received: {lines[-1]}"
    )


def _arguments(source: keras.Layer) -> dict[str, Any]:
    """The arguments of a constructor: from attributes of their names, else from `get_config`."""
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
    """A configuration without `build_config`, for the build specification replaces it."""
    if isinstance(config, (list, tuple)):
        return [_unbuilt(each) for each in config]
    if not isinstance(config, dict):
        return config
    is_object = "class_name" in config and "config" in config
    dropped = ("build_config",) if is_object else ()
    return {key: _unbuilt(value) for key, value in config.items() if key not in dropped}


def _facts(layer: keras.Layer) -> dict[str, Any]:
    """The simple attributes and the configuration of a layer, to compare with a copy."""
    facts = {key: value for key, value in vars(layer).items() if isinstance(value, _SIMPLE)}
    if quantized_class(type(layer)) is not None or not children(layer):
        roles = getattr(layer, "roles", ())
        facts |= {key: v for key, v in layer.get_config().items() if key not in roles}
    return {k: v for k, v in facts.items() if not k.startswith("_") and k not in _OF_TRAINING}
