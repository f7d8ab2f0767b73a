"""The choice of an op's backend, native or composite, and the straight-through gradient of both."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from quant_ops import library
from quant_ops.arguments import check_size, int64_tensors
from quant_ops.tensorflow_internals import is_compiled_by_xla


def dispatch(
    name: str,
    x: tf.Tensor,
    inputs: tuple[int | tf.Tensor, ...],
    attributes: Mapping[str, Any],
    composite: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Quantizes `x` with the native op quant_ops_<name> or with its twin, `composite`.

    Both take (x, *inputs, **attributes), which are valid and converted; an integer among the inputs
    stands for an int64 constant. Only `x` gets a gradient, the upstream one.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: `x` has 2^32 elements or more, and the backend is composite.
    """
    if takes_native():
        return getattr(library.native(), f"quant_ops_{name}")(x, *inputs, **attributes)
    check_size(x)
    quantized = composite(*map(tf.stop_gradient, (x, *int64_tensors(inputs))), **attributes)
    return _straight_through(x, quantized)


def takes_native() -> bool:
    """Whether an op that is built here is the native one.

    Inside XLA, which Keras uses by itself where every layer allows it, it is the composite one.
    """
    return library.backend() == "native" and not is_compiled_by_xla()


@tf.custom_gradient
def _straight_through(
    x: tf.Tensor, quantized: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """The value `quantized` with the gradient of `x`."""
    del x

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return upstream, None

    return tf.identity(quantized), gradient
