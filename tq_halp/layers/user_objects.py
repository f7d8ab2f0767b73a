"""Copies of layers that keep the user's own functions: lambdas, functions of a notebook, objects.

A layer's configuration names its activation, initializers, regularizers and constraints. Keras
finds a user's function by its registration only, or makes a lambda anew from its byte code, without
the global names that it uses. In a copy within one process, the object itself can be used.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tq_halp.errors import InputError

_REFERENCE = "tq_halp>carried/{}"


class UserObjects:
    """The objects that the configurations of some layers name, by the place of the name.

    Args:
        layers: layers that hold the objects in attributes with the names of their configuration's
            keys, as in `self.activation = activation`.
        get_config: returns the configuration of a layer.
    """

    def __init__(
        self,
        layers: Iterable[keras.Layer],
        get_config: Callable[[keras.Layer], dict] = lambda layer: layer.get_config(),
    ) -> None:
        self._held: dict[tuple[str, str], list] = {}  # by key and value in a configuration
        self._raw: set[tuple[str, str]] = (
            set()
        )  # places where a configuration has the object itself
        for layer in layers:
            for key, value in _config_or_nothing(layer, get_config).items():
                held = _held_by(layer, key)
                if held is not None and not isinstance(held, keras.Layer):
                    place = (key, _form(value))
                    there = self._held.setdefault(place, [])
                    if value is held:
                        self._raw.add(place)
                    if not any(held is each for each in there):
                        there.append(held)
        self._references: dict[str, Any] = {}

    def with_references(self, config: Any, key: str = "") -> Any:
        """A configuration with a reference in place of each of the user's objects.

        Keras resolves the references inside `resolvable`.

        Raises:
            InputError: one name stands for two objects.
        """
        if isinstance(config, (list, tuple)):
            return [self.with_references(each, key) for each in config]
        place = (key, _form(config)) if isinstance(config, (dict, str)) else None
        held = [] if place is None else self._held.get(place, [])
        if any(_is_own(each) for each in held):
            _check_equal(key, held)
            return held[0] if place in self._raw else self._reference(held[0])
        if isinstance(config, dict):
            return {name: self.with_references(value, name) for name, value in config.items()}
        return config

    @contextlib.contextmanager
    def resolvable(self) -> Iterator[None]:
        """A context in which Keras resolves the references."""
        with known_to_keras(self._references):
            yield

    def _reference(self, held: Any) -> dict[str, Any]:
        name = _REFERENCE.format(len(self._references))
        self._references[name] = held
        words = {"module": "builtins", "class_name": "function"}
        return {**words, "config": name, "registered_name": name}


@contextlib.contextmanager
def known_to_keras(objects: Mapping[str, Any]) -> Iterator[None]:
    """A `custom_object_scope` of Keras that keeps the objects of an outer one."""
    with keras.saving.custom_object_scope({}) as inner:
        outer = inner.backup
    with keras.saving.custom_object_scope({**outer, **objects}):
        yield


def copy_of(layer: keras.Layer) -> keras.Layer:
    """A new layer from the configuration of another; weights are not copied.

    Raises:
        InputError: `get_config` of its class does not return what the constructor needs; or the
            layer has an object that Keras cannot serialize, such as a `functools.partial`.
    """
    return remade(layer, type(layer))


def remade(
    layer: keras.Layer, target: type[keras.Layer], changed: Mapping[str, Any] | None = None
) -> keras.Layer:
    """A layer of class `target` from the configuration of another, with `changed` entries.

    Raises:
        InputError: as `copy_of`.
    """
    try:
        objects = UserObjects([layer])
        with _without_warnings():
            config = {**objects.with_references(layer.get_config()), **(changed or {})}
        with objects.resolvable():
            return target.from_config(config)
    except InputError:
        raise
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InputError(
            f"{layer.name}: class {type(layer).__name__} cannot be copied, its get_config must "
            "return what its constructor takes, and what it is given must be functions, lambdas or "
            f"objects with a get_config. Received: {str(error).strip()}"
        ) from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Silences Keras' warning about lambdas, which does not apply within one process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _held_by(layer: keras.Layer, key: str) -> Any:
    for name in (key, f"_{key}"):
        try:
            held = getattr(layer, name, None)
        except Exception:  # raised by a property
            continue
        if callable(held):
            return held
    return None


def _config_or_nothing(
    layer: keras.Layer, get_config: Callable[[keras.Layer], dict]
) -> dict[str, Any]:
    try:
        with _without_warnings():
            return get_config(layer)
    except Exception:  # the copy itself raises the error
        return {}


def _form(value: Any) -> str:
    """The serialized form of a value, as a text to compare."""
    try:
        with _without_warnings():
            value = keras.saving.serialize_keras_object(value)
    except (TypeError, ValueError, NotImplementedError):
        pass
    return repr(_with_lists(value))


def _with_lists(value: Any) -> Any:
    """A value with lists in place of tuples, as after writing and reading."""
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, (list, tuple)) else value


def _is_own(held: Any) -> bool:
    """Whether an object is not from Keras' own modules."""
    named = held if hasattr(held, "__qualname__") else type(held)
    return named.__module__.split(".")[0] != "keras"


def _check_equal(key: str, held: Sequence[Any]) -> None:
    """Raises InputError for different objects that Keras serializes to the same name."""
    names = {getattr(each, "__name__", None) for each in held}
    if len(held) == 1 or names == {"<lambda>"}:
        return
    if names != {None} or len(set(map(type, held))) > 1:
        name = getattr(held[0], "__name__", type(held[0]).__name__)
        raise InputError(
            f"two different objects called {name!r} are {key} of layers: rename one of them or "
            "register both with keras.saving.register_keras_serializable(package)"
        )
