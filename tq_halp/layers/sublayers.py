"""A mark for sublayers that a quantized layer makes and quantizes itself.

Attention makes its projections, an RNN its cell. `QuantizationMap.scope`, which replaces layers as
they are made, must leave these as they are, and asks here.
"""

import contextlib
import contextvars
from collections.abc import Iterator

_making: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "tq_halp.layers.sublayers", default=False
)


@contextlib.contextmanager
def making_parts() -> Iterator[None]:
    """A context, of this thread or task, in which all new layers are parts of a quantized layer."""
    token = _making.set(True)
    try:
        yield
    finally:
        _making.reset(token)


def is_making_parts() -> bool:
    """Whether `making_parts` is in force."""
    return _making.get()
