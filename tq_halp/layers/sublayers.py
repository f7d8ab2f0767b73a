"""Layers that a quantized layer makes for itself: it quantizes them, and nobody else does.

Attention makes its projections, an RNN its cell. Whoever watches which layers are made
(`QuantizationMap.scope`) asks here whether one is such a part.
"""

import contextlib
import contextvars
from collections.abc import Iterator

_making = contextvars.ContextVar("tq_halp.layers.sublayers", default=False)


@contextlib.contextmanager
def making_parts() -> Iterator[None]:
    """Inside, in this thread or task alone, all layers that are made are parts of another."""
    token = _making.set(True)
    try:
        yield
    finally:
        _making.reset(token)


def is_making_parts() -> bool:
    return _making.get()
