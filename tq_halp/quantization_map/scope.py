"""Keras layers built inside a `with` block come out quantized, whoever builds them.

Mechanism: while at least one scope is open in the process, each quantizable Keras class has a
`__new__` that makes the quantized subclass instead; Python then runs that subclass' `__init__` with
the caller's own arguments. Nothing else is replaced: no module attribute, no base class. Other
threads are not affected, and when the last scope closes the classes are as they were.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence

import keras

from tq_halp.errors import InputError
from tq_halp.layers.registry import QUANTIZED
from tq_halp.quantization_map.matching import Leaf, check, decide
from tq_halp.quantization_map.rules import Rule

_lock = threading.Lock()
_open_scopes = 0
_here = threading.local()  # .scopes: the open scopes of this thread, innermost last


@contextlib.contextmanager
def scope(rules: Sequence[Rule]) -> Iterator[None]:
    """Quantizes what is built inside by `rules`; a layer's path is its own name.

    A layer that no rule decides comes out as its quantized class without quantizers, which equals
    the Keras class in every number. A layer class that has no quantized twin is left alone.

    Raises:
        InputError: at the end, if no exception is under way: a rule could not do what it asks.
    """
    current = _Scope(rules)
    _enter(current)
    try:
        yield
    finally:
        _leave(current)
    check([decide(leaf, rules) for leaf in current.leaves], rules)


class _Scope:
    def __init__(self, rules):
        self.rules = rules
        self.leaves: list[Leaf] = []

    def quantizers_for(self, keras_class, name):
        leaf = Leaf((name,), keras_class, has_weights=True)
        self.leaves.append(leaf)
        return decide(leaf, self.rules).quantizers


def _enter(current):
    global _open_scopes
    scopes = vars(_here).setdefault("scopes", [])
    with _lock:
        if _open_scopes == 0:
            for keras_class, quantized in QUANTIZED.items():
                _redirect(keras_class, quantized)
        _open_scopes += 1
    scopes.append(current)


def _leave(current):
    global _open_scopes
    _here.scopes.remove(current)
    with _lock:
        _open_scopes -= 1
        if _open_scopes == 0:
            for keras_class in QUANTIZED:
                del keras_class.__new__


def _redirect(keras_class, quantized):
    class Newborn(quantized):
        """Lives from __new__ to __init__, to give the quantized layer its name and quantizers."""

        def __init__(self, *args, **kwargs):
            self.__class__ = quantized
            name = kwargs.pop("name", None) or _automatic_name(keras_class)
            clash = [role for role in quantized.roles if kwargs.pop(role, None) is not None]
            if clash:
                raise InputError(
                    f"{keras_class.__name__} {name!r}: {clash[0]} cannot be given inside "
                    "QuantizationMap.scope(), where the map decides it; call set_weights afterwards"
                )
            chosen = _here.scopes[-1].quantizers_for(keras_class, name)
            chosen = {role: "none" if q is None else q for role, q in chosen.items()}
            quantized.__init__(self, *args, name=name, **kwargs, **chosen)

    def __new__(cls, *args, **kwargs):
        if cls is keras_class and getattr(_here, "scopes", None):
            cls = Newborn
        return super(keras_class, cls).__new__(cls, *args, **kwargs)

    keras_class.__new__ = staticmethod(__new__)


def _automatic_name(keras_class):
    """The name that Keras would have given: "dense_1", not "quant_dense_1"."""
    return type(keras_class.__name__, (keras.layers.Layer,), {})().name
