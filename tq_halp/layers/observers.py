"""Watching what layers quantize, from outside: every tensor before and after, as it comes."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tq_halp.quantizers import AnyQuantizer


@dataclasses.dataclass(frozen=True)
class Observation:
    """One tensor that a layer quantized."""

    layer: keras.Layer  # the quantized layer
    role: str  # one of `base.ROLES`
    tensor: str  # as in the random bits' names: "kernel", "kernel/gradient", "output/error", ...
    quantizer: Any  # of type `AnyQuantizer`
    x: tf.Tensor  # before
    quantized: tf.Tensor  # Q(x)


_observer: contextvars.ContextVar[Callable[[Observation], object] | None] = contextvars.ContextVar(
    "tq_halp.layers.observer", default=None
)


@contextlib.contextmanager
def observing(observer: Callable[[Observation], object]) -> Iterator[None]:
    """Inside, in this thread or task alone, `observer` receives every tensor that is quantized.

    In the order of the computation: gradients and errors while a tape runs backward, an RNN's gates
    and states once per time step. Tensors have values where TensorFlow runs eagerly; in a
    `tf.function` the observer sees symbolic ones, once, while it is traced.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def tell(
    layer: keras.Layer,
    role: str,
    tensor: str,
    quantizer: AnyQuantizer,
    x: tf.Tensor,
    quantized: tf.Tensor,
) -> None:
    """Tells the observer, if there is one."""
    observer = _observer.get()
    if observer is not None:
        observer(Observation(layer, role, tensor, quantizer, x, quantized))
