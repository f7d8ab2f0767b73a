"""Layers that are built while somebody watches: he says what class and which quantizers each gets.

Mechanism: while at least one watch is on in the process, each watched class has a `__new__` that
makes an object of another class, whose `__init__` Python then runs with the caller's own arguments.
Nothing else is replaced: no module attribute, no base class. Other threads are not affected, and
when the last watch ends the classes are as they were.
"""

import contextlib
import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tq_halp.errors import InputError
from tq_halp.layers.parts import is_making_parts
from tq_halp.layers.quant_layer import QuantLayer
from tq_halp.layers.registry import quantized_class

_MISSING = object()
_lock = threading.Lock()
_watched: dict[type, list] = {}  # class -> [number of watches, its own __new__ or _MISSING]
_here = threading.local()  # .watches: the deciders of this thread, innermost last; None: nobody's


@dataclasses.dataclass(frozen=True)
class Fate:
    """What becomes of one layer."""

    name: str | None = None  # None: as its constructor says
    quantizers: Mapping[str, Any] | None = None  # by role; None: it stays what it is
    overrides: bool = False  # quantizers that the constructor is given are dropped, not refused
    born: Callable[[Any], object] | None = None  # gets the layer


Decider = Callable[[type, str | None], Fate]  # (class, the name that was given) -> Fate


@contextlib.contextmanager
def watch(classes: Iterable[type], decide: Decider) -> Iterator[None]:
    """Inside, `decide` says what becomes of each new layer of exactly one of `classes`.

    What the constructor of such a layer builds in turn is its own affair.
    """
    classes = list(classes)
    with _lock:
        for layer_class in classes:
            _start(layer_class)
    watches = _watches()
    watches.append(decide)
    try:
        yield
    finally:
        watches.remove(decide)
        with _lock:
            for layer_class in classes:
                _stop(layer_class)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Inside, no watch of this thread sees anything."""
    watches = _watches()
    watches.append(None)
    try:
        yield
    finally:
        watches.pop()


def _watches() -> list:
    return vars(_here).setdefault("watches", [])


def _start(layer_class):
    entry = _watched.setdefault(layer_class, [0, vars(layer_class).get("__new__", _MISSING)])
    entry[0] += 1
    if entry[0] == 1:
        layer_class.__new__ = staticmethod(_new(layer_class, entry[1]))


def _stop(layer_class):
    entry = _watched[layer_class]
    entry[0] -= 1
    if entry[0] == 0:
        del _watched[layer_class]
        if entry[1] is _MISSING:
            del layer_class.__new__
        else:
            layer_class.__new__ = entry[1]


def _new(layer_class, own):
    newborns = {}

    def plain_new(cls, *args, **kwargs):
        if own is _MISSING:
            return super(layer_class, cls).__new__(cls, *args, **kwargs)
        return own.__func__(cls, *args, **kwargs)

    def __new__(cls, *args, **kwargs):
        watches = _watches()
        is_watched = watches and watches[-1] is not None and not is_making_parts()
        if cls is not layer_class or not is_watched:
            return plain_new(cls, *args, **kwargs)
        fate = watches[-1](layer_class, kwargs.get("name"))
        target = layer_class if fate.quantizers is None else quantized_class(layer_class)
        born = target or layer_class
        if born not in newborns:
            newborns[born] = _newborn(born)
        layer = plain_new(newborns[born], *args, **kwargs)
        vars(layer)["_fate"] = fate
        if fate.born is not None:
            fate.born(layer)
        if target is not None:
            return layer  # Python goes on with its __init__
        # What is wrapped around an object of a user's class is none, so Python leaves it at that.
        layer.__init__(*args, **kwargs)
        with unwatched():
            return QuantLayer(layer, **_chosen(QuantLayer, fate))

    return __new__


def _newborn(target):
    class Newborn(target):
        """Lives from __new__ to __init__, to give a layer its name and its quantizers."""

        def __init__(self, *args, **kwargs):
            self.__class__ = target
            fate = vars(self).pop("_fate")
            if fate.quantizers is not None and quantized_class(target) is target:
                kwargs = _arguments(target, fate, kwargs)
            with unwatched():
                target.__init__(self, *args, **kwargs)
            if fate.name is not None:
                self.name = fate.name
            self.build = _unwatching(self.build)

        # Keras derives the default get_config from it.
        __init__.__signature__ = inspect.signature(target.__init__)

    return Newborn


def _unwatching(build):
    """What a layer builds when it is built is its own affair too."""

    @functools.wraps(build)
    def building(*args, **kwargs):
        with unwatched():
            return build(*args, **kwargs)

    return building


def _arguments(target, fate, given):
    """The arguments of a quantized class for those that a Keras class was given."""
    name = fate.name or given.get("name")
    clash = [role for role in target.roles if given.get(role) is not None]
    if clash and not fate.overrides:
        raise InputError(
            f"{target.__name__.removeprefix('Quant')} {name!r}: {clash[0]} cannot be given inside "
            "QuantizationMap.scope(), where the map decides it; call set_weights afterwards"
        )
    return {**given, "name": name, **_chosen(target, fate)}


def _chosen(target, fate):
    """The quantizers as arguments: what is None is meant to be."""
    chosen = {role: fate.quantizers.get(role) for role in target.roles}
    return {role: "none" if q is None else q for role, q in chosen.items()}
