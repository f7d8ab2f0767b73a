"""A hook into the construction of Keras layers, which can give each new layer other quantizers.

While at least one hook is open in the process, each hooked class has a `__new__` that makes an
object of the quantized class. Python then calls its `__init__` with the caller's arguments. Nothing
else is replaced: no module attribute, no base class, no other method. A hook applies to its context
(`contextvars`): the thread or task that opened it, and what these start with a copy of the context.
Elsewhere, the hooked classes make the same layers as without a hook. When the last hook is closed,
the classes are as before.
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
from tq_halp.layers.keras_class_table import quantized_class
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.layers.sublayers import is_making_parts

_MISSING = object()
_lock = threading.Lock()
_hooked: dict[type, list] = {}  # class -> [number of hooks, its own __new__ or _MISSING]


@dataclasses.dataclass(frozen=True)
class Fate:
    """What happens to one new layer."""

    name: str | None = None  # None: the name that its constructor gives it
    quantizers: Mapping[str, Any] | None = None  # by role; None: it is not changed
    overrides: bool = False  # drops quantizers among the constructor's arguments; else an error
    on_new: Callable[[Any], object] | None = None  # called with the new layer


Decider = Callable[[type, str | None], Fate]  # (class, name argument) -> Fate


@dataclasses.dataclass
class _Hook:
    """An open hook, in the stack of hooks of a context."""

    decide: Decider | None  # None: new layers are not changed
    outer: "_Hook | None"  # the hook around it
    is_open: bool = True  # False after its block, though a context may still hold it


# The innermost hook of this context.
_innermost: contextvars.ContextVar[_Hook | None] = contextvars.ContextVar(
    "tq_halp.quantization_map.copying.construction_hook", default=None
)


@contextlib.contextmanager
def hooked(classes: Iterable[type], decide: Decider) -> Iterator[None]:
    """A context in which `decide` returns the `Fate` of each new layer.

    It applies to this thread or task only, and to layers whose class is exactly one of `classes`.
    Layers that the constructor of such a layer makes in turn are not changed.
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


def unhooked() -> contextlib.AbstractContextManager[None]:
    """A context, of this thread or task, in which new layers are not changed."""
    return _deciding(None)


@contextlib.contextmanager
def _deciding(decide: Decider | None) -> Iterator[None]:
    hook = _Hook(decide, _innermost.get())
    _innermost.set(hook)
    try:
        yield
    finally:
        hook.is_open = False
        # Not by a token, which is not valid if a generator continues in another context.
        _innermost.set(hook.outer)


def _decider_here() -> Decider | None:
    hook = _innermost.get()
    while hook is not None and not hook.is_open:
        hook = hook.outer
    return None if hook is None else hook.decide


def _start(layer_class: Any) -> None:
    entry = _hooked.setdefault(layer_class, [0, vars(layer_class).get("__new__", _MISSING)])
    entry[0] += 1
    if entry[0] == 1:
        layer_class.__new__ = staticmethod(_new(layer_class, entry[1]))


def _stop(layer_class: Any) -> None:
    entry = _hooked[layer_class]
    entry[0] -= 1
    if entry[0] == 0:
        del _hooked[layer_class]
        if entry[1] is _MISSING:
            del layer_class.__new__
        else:
            layer_class.__new__ = entry[1]


def _new(layer_class: Any, own: Any) -> Callable[..., Any]:
    unfinished: dict[type, type] = {}

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
        made_class = target or layer_class
        if made_class not in unfinished:
            unfinished[made_class] = _unfinished_class(made_class)
        layer = plain_new(unfinished[made_class], *args, **kwargs)
        layer.__dict__["_fate"] = fate
        if fate.on_new is not None:
            fate.on_new(layer)
        if target is not None:
            return layer  # Python then calls its __init__
        # A `QuantLayer` is not of the called class, so Python does not call its __init__.
        layer.__init__(*args, **kwargs)
        with unhooked():
            return QuantLayer(layer, **_chosen(QuantLayer, fate))

    return __new__


def _unfinished_class(target: Any) -> type:
    is_quantized = quantized_class(target) is target

    class Unfinished(target):
        """The class of a layer from __new__ to __init__, which sets name and quantizers."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.__class__ = target
            fate = self.__dict__.pop("_fate")
            if fate.quantizers is not None and is_quantized:
                kwargs = _arguments(target, fate, kwargs)
            with unhooked():
                target.__init__(self, *args, **kwargs)
            if fate.name is not None:
                self.name = fate.name
            self.build = _unhooked_build(self.build)  # type: ignore[has-type]

        # Keras' default get_config reads it.
        vars(__init__)["__signature__"] = inspect.signature(target.__init__)

    return Unfinished


def _unhooked_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """A `build` in which new layers are not changed."""

    @functools.wraps(build)
    def building(*args: Any, **kwargs: Any) -> Any:
        with unhooked():
            return build(*args, **kwargs)

    return building


def _arguments(target: type[QuantizedLayer], fate: Fate, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the quantized class, from those of the Keras class."""
    name = fate.name or given.get("name")
    clash = [role for role in target.roles if given.get(role) is not None]
    if clash and not fate.overrides:
        raise InputError(
            f"{target.__name__.removeprefix('Quant')} {name!r}: {clash[0]} cannot be given inside "
            "QuantizationMap.scope(), where the map decides it; call set_weights afterwards"
        )
    return {**given, "name": name, **_chosen(target, fate)}


def _chosen(target: type[QuantizedLayer], fate: Fate) -> dict[str, Any]:
    """The quantizers as arguments. "none", because None can mean a default."""
    chosen = {role: (fate.quantizers or {}).get(role) for role in target.roles}
    return {role: "none" if q is None else q for role, q in chosen.items()}
