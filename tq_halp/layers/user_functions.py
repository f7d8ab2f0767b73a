"""Functions of the user's own in a copied layer: the very objects, whatever they are called.

A layer's configuration names its activation, initializers, regularizers, constraints and the like.
What Keras' own modules do not hold, such as a lambda or a function of a notebook, Keras finds again
by its registration alone, or makes anew from its byte code, without the names that it uses. But in
a copy within one process the object is there already.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tq_halp.errors import InputError

_REFERENCE = "tq_halp>carried/{}"


class Carried:
    """The objects that the configurations of some layers speak of, and where they speak of them.

    Args:
        layers: their attributes of a configuration's keys are the objects, as in
            `self.activation = activation`.
        get_config: gives the configuration of one.
    """

    def __init__(
        self,
        layers: Iterable[keras.Layer],
        get_config: Callable[[keras.Layer], dict] = lambda layer: layer.get_config(),
    ) -> None:
        self._held: dict[tuple[str, str], list] = {}  # by key and what stands there
        self._raw: set[tuple[str, str]] = set()  # where a class writes the objects themselves
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

    def refer(self, config: Any, key: str = "") -> Any:
        """A configuration in which each of the user's objects is a reference, for `in_reach`.

        Raises:
            InputError: the same words stand for two objects.
        """
        if isinstance(config, (list, tuple)):
            return [self.refer(each, key) for each in config]
        place = (key, _form(config)) if isinstance(config, (dict, str)) else None
        held = [] if place is None else self._held.get(place, [])
        if any(_is_own(each) for each in held):
            _check_equal(key, held)
            return held[0] if place in self._raw else self._reference(held[0])
        if isinstance(config, dict):
            return {name: self.refer(value, name) for name, value in config.items()}
        return config

    @contextlib.contextmanager
    def in_reach(self) -> Iterator[None]:
        """Inside, Keras finds the objects of the references."""
        with known_to_keras(self._references):
            yield

    def _reference(self, held: Any) -> dict[str, Any]:
        name = _REFERENCE.format(len(self._references))
        self._references[name] = held
        words = {"module": "builtins", "class_name": "function"}
        return {**words, "config": name, "registered_name": name}


@contextlib.contextmanager
def known_to_keras(objects: Mapping[str, Any]) -> Iterator[None]:
    """Keras' `custom_object_scope`, in which the objects of an outer one are known as well."""
    with keras.saving.custom_object_scope({}) as inner:
        outer = inner.backup
    with keras.saving.custom_object_scope({**outer, **objects}):
        yield


def copy_of(layer: keras.Layer) -> keras.Layer:
    """A layer made from the configuration of another.

    Raises:
        InputError: its class does not say in `get_config` what its constructor needs; or it was
            given an object that Keras cannot describe, such as a `functools.partial`.
    """
    return made_anew(layer, type(layer))


def made_anew(
    layer: keras.Layer, target: type[keras.Layer], changed: Mapping[str, Any] | None = None
) -> keras.Layer:
    """A layer of class `target` from the configuration of another, but for what is `changed`.

    Raises:
        InputError: as `copy_of`.
    """
    try:
        carried = Carried([layer])
        with _without_warnings():
            config = {**carried.refer(layer.get_config()), **(changed or {})}
        with carried.in_reach():
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
    """Keras warns of lambdas; but nothing leaves the process here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _held_by(layer: keras.Layer, key: str) -> Any:
    for name in (key, f"_{key}"):
        try:
            held = getattr(layer, name, None)
        except Exception:  # of a property
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
    except Exception:  # who needs it will say so
        return {}


def _form(value: Any) -> str:
    """What Keras writes for a value, as a text to compare."""
    try:
        with _without_warnings():
            value = keras.saving.serialize_keras_object(value)
    except (TypeError, ValueError, NotImplementedError):
        pass
    return repr(_with_lists(value))


def _with_lists(value: Any) -> Any:
    """Lists for tuples, as in what was written and read."""
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, (list, tuple)) else value


def _is_own(held: Any) -> bool:
    """Whether Keras does not find an object in its own modules."""
    named = held if hasattr(held, "__qualname__") else type(held)
    return named.__module__.split(".")[0] != "keras"


def _check_equal(key: str, held: Sequence[Any]) -> None:
    """Objects for which Keras writes the same must do the same: of functions it writes the name."""
    names = {getattr(each, "__name__", None) for each in held}
    if len(held) == 1 or names == {"<lambda>"}:
        return
    if names != {None} or len(set(map(type, held))) > 1:
        name = getattr(held[0], "__name__", type(held[0]).__name__)
        raise InputError(
            f"two different objects called {name!r} are {key} of layers: rename one of them or "
            "register both with keras.saving.register_keras_serializable(package)"
        )
