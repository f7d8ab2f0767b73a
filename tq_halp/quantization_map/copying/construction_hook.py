"""Layers that are built while somebody watches: he says what class and which quantizers each gets.

Mechanism: while at least one watch is on in the process, each watched class has a `__new__` that
makes an object of another class, whose `__init__` Python then runs with the caller's own arguments.
Nothing else is replaced: no module attribute, no base class, no method. Who watches is a matter of
the context (`contextvars`): of the thread or task, and of what it starts in a copy of its context.
All others get what the class makes without a watch, and see no more than that `__new__`. When the
last watch ends the classes are as they were.
"""

import contextlib
import contextvars
import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tq_halp.errors import InputError
from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.layers.quantized_classes import quantized_class
from tq_halp.layers.quantized_layer import QuantizedLayer
from tq_halp.layers.sublayers import is_making_parts

_MISSING = object()
_lock = threading.Lock()
_watched: dict[type, list] = {}  # class -> [number of watches, its own __new__ or _MISSING]


@dataclasses.dataclass(frozen=True)
class Fate:
    """What becomes of one layer."""

    name: str | None = None  # None: as its constructor says
    quantizers: Mapping[str, Any] | None = None  # by role; None: it stays what it is
    overrides: bool = False  # quantizers that the constructor is given are dropped, not refused
    born: Callable[[Any], object] | None = None  # gets the layer


Decider = Callable[[type, str | None], Fate]  # (class, the name that was given) -> Fate


@dataclasses.dataclass
class _Watch:
    decide: Decider | None  # None: nobody watches
    outer: "_Watch | None"  # what it is in
    is_open: bool = True  # not once its block ended, whatever context still holds it


# The innermost one here.
_watch: contextvars.ContextVar[_Watch | None] = contextvars.ContextVar(
    "tq_halp.quantization_map.copying.construction_hook", default=None
)


@contextlib.contextmanager
def watch(classes: Iterable[type], decide: Decider) -> Iterator[None]:
    """Inside, `decide` says what becomes of each new layer of exactly one of `classes`.

    In this thread or task alone. What the constructor of such a layer builds in turn is its own
    affair.
    """
    classes = list(classes)
    with _lock:
        for layer_class in classes:
            _start(layer_class)
    try:
        with _deciding(decide):
            yield
    finally:
        with _lock:
            for layer_class in classes:
                _stop(layer_class)


def unwatched() -> contextlib.AbstractContextManager[None]:
    """Inside, no watch of this thread or task sees anything."""
    return _deciding(None)


@contextlib.contextmanager
def _deciding(decide: Decider | None) -> Iterator[None]:
    watch = _Watch(decide, _watch.get())
    _watch.set(watch)
    try:
        yield
    finally:
        watch.is_open = False
        # No token: it could not be given back where a generator goes on in another context.
        _watch.set(watch.outer)


def _decider_here() -> Decider | None:
    watch = _watch.get()
    while watch is not None and not watch.is_open:
        watch = watch.outer
    return None if watch is None else watch.decide


def _start(layer_class: Any) -> None:
    entry = _watched.setdefault(layer_class, [0, vars(layer_class).get("__new__", _MISSING)])
    entry[0] += 1
    if entry[0] == 1:
        layer_class.__new__ = staticmethod(_new(layer_class, entry[1]))


def _stop(layer_class: Any) -> None:
    entry = _watched[layer_class]
    entry[0] -= 1
    if entry[0] == 0:
        del _watched[layer_class]
        if entry[1] is _MISSING:
            del layer_class.__new__
        else:
            layer_class.__new__ = entry[1]


def _new(layer_class: Any, own: Any) -> Callable[..., Any]:
    newborns = {}

    def plain_new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if own is _MISSING:
            return super(layer_class, cls).__new__(cls, *args, **kwargs)
        return own.__func__(cls, *args, **kwargs)

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        decide = _decider_here()
        if cls is not layer_class or decide is None or is_making_parts():
            return plain_new(cls, *args, **kwargs)
        fate = decide(layer_class, kwargs.get("name"))
        target = layer_class if fate.quantizers is None else quantized_class(layer_class)
        born = target or layer_class
        if born not in newborns:
            newborns[born] = _newborn(born)
        layer = plain_new(newborns[born], *args, **kwargs)
        layer.__dict__["_fate"] = fate
        if fate.born is not None:
            fate.born(layer)
        if target is not None:
            return layer  # Python goes on with its __init__
        # What is wrapped around an object of a user's class is none, so Python leaves it at that.
        layer.__init__(*args, **kwargs)
        with unwatched():
            return QuantLayer(layer, **_chosen(QuantLayer, fate))

    return __new__


def _newborn(target: Any) -> type:
    is_quantized = quantized_class(target) is target

    class Newborn(target):
        """Lives from __new__ to __init__, to give a layer its name and its quantizers."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.__class__ = target
            fate = self.__dict__.pop("_fate")
            if fate.quantizers is not None and is_quantized:
                kwargs = _arguments(target, fate, kwargs)
            with unwatched():
                target.__init__(self, *args, **kwargs)
            if fate.name is not None:
                self.name = fate.name
            self.build = _unwatching(self.build)  # type: ignore[has-type]

        # Keras derives the default get_config from it.
        vars(__init__)["__signature__"] = inspect.signature(target.__init__)

    return Newborn


def _unwatching(build: Callable[..., Any]) -> Callable[..., Any]:
    """What a layer builds when it is built is its own affair too."""

    @functools.wraps(build)
    def building(*args: Any, **kwargs: Any) -> Any:
        with unwatched():
            return build(*args, **kwargs)

    return building


def _arguments(target: type[QuantizedLayer], fate: Fate, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a quantized class for those that a Keras class was given."""
    name = fate.name or given.get("name")
    clash = [role for role in target.roles if given.get(role) is not None]
    if clash and not fate.overrides:
        raise InputError(
            f"{target.__name__.removeprefix('Quant')} {name!r}: {clash[0]} cannot be given inside "
            "QuantizationMap.scope(), where the map decides it; call set_weights afterwards"
        )
    return {**given, "name": name, **_chosen(target, fate)}


def _chosen(target: type[QuantizedLayer], fate: Fate) -> dict[str, Any]:
    """The quantizers as arguments: what is None is meant to be."""
    chosen = {role: (fate.quantizers or {}).get(role) for role in target.roles}
    return {role: "none" if q is None else q for role, q in chosen.items()}
