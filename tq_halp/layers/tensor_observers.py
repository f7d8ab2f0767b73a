"""Observers of quantized layers, called with every tensor before and after quantization."""

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
    """A tensor that a layer has quantized."""

    layer: keras.Layer  # the quantized layer
    role: str  # one of `quantized_layer.ROLES`
    tensor: str  # the name used for random bits: "kernel", "kernel/gradient", "output/error", ...
    quantizer: Any  # of type `AnyQuantizer`
    x: tf.Tensor  # before
    quantized: tf.Tensor  # Q(x)


_observer: contextvars.ContextVar[Callable[[Observation], object] | None] = contextvars.ContextVar(
    "tq_halp.layers.observer", default=None
)


@contextlib.contextmanager
def observing(observer: Callable[[Observation], object]) -> Iterator[None]:
    """A context in which `observer` is called with every tensor that is quantized.

    It applies to this thread or task only. Calls come in the order of computation: for gradients
    and errors while a tape runs backward, for an RNN's gates and states once per time step. Tensors
    have values in eager execution. Inside a `tf.function` they are symbolic, and the observer is
    called once, while the function is traced.
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
    """Calls the observer, if there is one."""
    observer = _observer.get()
    if observer is not None:
        observer(Observation(layer, role, tensor, quantizer, x, quantized))
