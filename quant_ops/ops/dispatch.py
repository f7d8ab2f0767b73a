"""One op, two backends: which of them builds it, and the straight-through gradient of either."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from quant_ops import library
from quant_ops.arguments import check_size
from quant_ops.tensorflow_internals import is_compiled_by_xla


def dispatch(
    name: str,
    x: tf.Tensor,
    inputs: tuple[int | tf.Tensor, ...],
    attributes: Mapping[str, Any],
    composite: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Quantizes `x` with the native op quant_ops_<name>, or with its twin `composite`.

    Both take (x, *inputs, **attributes), valid and converted; an integer among the inputs stands
    for an int64 constant. The gradient goes to `x` alone.
    """
    if takes_native():
        return getattr(library.native(), f"quant_ops_{name}")(x, *inputs, **attributes)
    check_size(x)
    constants = (tf.constant(i, tf.int64) if isinstance(i, int) else i for i in inputs)
    quantized = composite(*map(tf.stop_gradient, (x, *constants)), **attributes)
    return _straight_through(x, quantized)


def takes_native() -> bool:
    """Whether an op that is built here is the native one.

    A step that XLA compiles, as Keras does by itself where every layer allows it, takes the twin.
    """
    return library.backend() == "native" and not is_compiled_by_xla()


@tf.custom_gradient
def _straight_through(x: tf.Tensor, quantized: tf.Tensor):
    """The value `quantized` with the gradient of `x`."""
    del x

    def gradient(upstream):
        return upstream, None

    return tf.identity(quantized), gradient
