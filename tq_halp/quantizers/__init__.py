"""Quantizers: a number format, a rounding, an overflow and a gradient.

A quantizer is a frozen value object. It can be called on tensors and saved by Keras. Written as a
mapping, as in YAML, the keys of its format stand beside its own::

    {format: fixed_point, word_bits: 8, frac_bits: 6, rounding: stochastic, gradient: clipped}
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.quantizers.accumulator import Accumulator, get_accumulator
from tq_halp.quantizers.convert_to_tensor import tensor
from tq_halp.quantizers.quantizer import Quantizer
from tq_halp.quantizers.scheduled_quantizer import ScheduledQuantizer

__all__ = [
    "Accumulator",
    "AnyQuantizer",
    "Quantizer",
    "ScheduledQuantizer",
    "for_role",
    "get",
    "get_accumulator",
    "quantize_gradient",
]

#: What rounds one tensor of a layer.
AnyQuantizer = Quantizer | ScheduledQuantizer | Accumulator


def for_role(role: str, identifier: Any) -> AnyQuantizer | None:
    """The quantizer for a role of a layer: `get_accumulator` for "accumulator", else `get`.

    Raises:
        InputError: as these two.
    """
    return get_accumulator(identifier) if role == "accumulator" else get(identifier)


def get(identifier: Any) -> Quantizer | ScheduledQuantizer | None:
    """A quantizer from None, a mapping, a format, its name or a quantizer.

    Raises:
        InputError: the identifier is something else, or a wrong mapping.
    """
    if identifier is None or isinstance(identifier, (Quantizer, ScheduledQuantizer)):
        return identifier
    if isinstance(identifier, Mapping):
        # Keras may have wrapped the mapping the way it serialises registered objects.
        if identifier.get("class_name") == "Quantizer":
            identifier = identifier["config"]
        if "stages" in identifier:
            return ScheduledQuantizer.from_config(identifier)
        return Quantizer.from_config(identifier)
    if isinstance(identifier, (str, formats.Format)):
        return Quantizer(identifier)
    raise InputError(
        "a quantizer must be None, a Quantizer, a format, the name of one or a mapping such as "
        "{format: fixed_point, word_bits: 8, frac_bits: 6, rounding: stochastic}. "
        f"Received: {identifier!r}"
    )


def quantize_gradient(
    x: tf.Tensor, quantizer: Callable[..., tf.Tensor] | None, counter: tf.Tensor | int = 0
) -> tf.Tensor:
    """The identity whose gradient is quantized: forward x, backward dy becomes q(dy).

        y = x,   dL/dx = q(dL/dy)

    Args:
        x: float tensor of any shape.
        quantizer: q, or None for the plain identity.
        counter: int64 scalar, passed on to q.

    Returns:
        A tensor of x's dtype and shape.
    """
    x = tensor(x)
    if quantizer is None:
        return x

    @tf.custom_gradient
    def identity(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return tf.identity(x), lambda dy: quantizer(dy, counter)

    return identity(x)
