"""Loading of saved Keras models, also with the user's own classes."""

import importlib
import re
from collections.abc import Iterable

import keras

from tq_halp.errors import InputError, reason


def import_modules(names: Iterable[str]) -> None:
    """Imports modules of the user's, which register classes with Keras.

    Raises:
        InputError: one cannot be imported.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # The user's module may raise anything.
            raise InputError(
                f"{name} cannot be imported: {error}; start the command with python -m, in the "
                "folder of the module"
            ) from error


def load_model(path: str, imports: Iterable[str] = (), compile: bool = False) -> keras.Model:
    """The model that `keras.models.load_model` loads, in safe mode, after importing `imports`.

    Args:
        path: a .keras file.
        imports: modules that register the user's classes.
        compile: whether to compile the model as it was saved.

    Raises:
        InputError: a module cannot be imported, or Keras cannot load the file.
    """
    import_modules(imports)
    try:
        return keras.models.load_model(path, compile=compile)
    except Exception as error:  # Keras, or the user's classes, may raise anything.
        raise InputError(f"{path}: cannot be loaded as a Keras model: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The cause, which Keras hides in the configuration of the whole model."""
    text = str(error).strip()
    if missing := re.search(r"Could not locate class '.*?'", text):
        return (
            f"{missing[0]}; register it with Keras, and name the module that does so: --import, or "
            "model.imports in a config"
        )
    return reason(error)
