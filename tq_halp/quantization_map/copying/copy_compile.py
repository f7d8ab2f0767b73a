"""A copy of a model compiled as the model is."""

import warnings
from typing import Any

import keras


def compile_like(model: keras.Model, copy: keras.Model, optimizer: Any = None) -> None:
    """Compiles `copy` with the loss, metrics and other arguments of `model`.

    With the given optimizer, or with a new one like that of `model`.

    By the model's configuration, as when it is loaded; where that names functions that only this
    process knows, such as a lambda or one defined in another function, with these functions.
    """
    has_own_compile = type(model).compile is not keras.Model.compile
    if has_own_compile or _is_known(model):
        config = model.get_compile_config()
        if optimizer is not None:
            # By its configuration, which is what a saved model is compiled from again.
            config = {**config, "optimizer": keras.saving.serialize_keras_object(optimizer)}
        copy.compile_from_config(config)
        return
    arguments = keras.tree.map_structure(_fresh, model._compile_config.config)
    copy.compile(**arguments | ({} if optimizer is None else {"optimizer": optimizer}))
    if copy.built:
        copy.optimizer.build(copy.trainable_variables)


def _is_known(model: keras.Model) -> bool:
    """Whether the configuration tells all that the model was compiled with."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a lambda
            keras.saving.deserialize_keras_object(model.get_compile_config())
    except (TypeError, ValueError):
        return False
    return True


def _fresh(given: Any) -> Any:
    """A new object in the place of one that has state."""
    if isinstance(given, (keras.optimizers.Optimizer, keras.metrics.Metric)):
        return type(given).from_config(given.get_config())
    return given
