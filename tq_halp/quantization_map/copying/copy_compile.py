"""Compiling a copy of a model as the model is compiled."""

import warnings
from typing import Any

import keras

from tq_halp.keras_internals.training import compile_arguments


def compile_like(model: keras.Model, copy: keras.Model, optimizer: Any = None) -> None:
    """Compiles `copy` with the loss, metrics and other arguments of `model`.

    Args:
        model: a compiled model.
        copy: its copy.
        optimizer: None: a new one with the configuration of that of `model`.

    The arguments come from the model's compile configuration, as in loading. If it names functions
    that Keras cannot find again, such as lambdas, the functions themselves are used.
    """
    has_own_compile = type(model).compile is not keras.Model.compile
    if has_own_compile or _is_known(model):
        config = model.get_compile_config()
        if optimizer is not None:
            # As a configuration, from which a saved model is compiled again.
            config = {**config, "optimizer": keras.saving.serialize_keras_object(optimizer)}
        copy.compile_from_config(config)
        return
    arguments = keras.tree.map_structure(_fresh, compile_arguments(model))
    copy.compile(**arguments | ({} if optimizer is None else {"optimizer": optimizer}))
    if copy.built:
        copy.optimizer.build(copy.trainable_variables)


def _is_known(model: keras.Model) -> bool:
    """Whether Keras can restore all arguments of `compile` from the configuration."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about lambdas
            keras.saving.deserialize_keras_object(model.get_compile_config())
    except (TypeError, ValueError):
        return False
    return True


def _fresh(given: Any) -> Any:
    """A new object in place of an optimizer or a metric, which have state."""
    if isinstance(given, (keras.optimizers.Optimizer, keras.metrics.Metric)):
        return type(given).from_config(given.get_config())
    return given
