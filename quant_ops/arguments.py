"""Checks of the ops' arguments that may be tensors: each error names the argument, what is valid,
what was received.

They raise ValueError or TypeError, not `tq_halp.InputError`: quant_ops knows nothing of tq_halp.
"""

import numbers
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from quant_ops.composite import counter_rng
from quant_ops.composite.float_bits import CARRIERS
from quant_ops.plain_arguments import integer

INT64 = (-(1 << 63), (1 << 63) - 1)  # tf.int64.min and .max ask NumPy anew, for microseconds


def float_tensor(value: Any, name: str) -> tf.Tensor:
    """`value` as a tensor of float16, bfloat16, float32 or float64; its dtype is kept.

    Raises:
        TypeError: the dtype is another one.
    """
    tensor = tf.convert_to_tensor(value)
    if tensor.dtype not in CARRIERS:
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64. Received: {tensor.dtype.name}; "
            "convert it first, for example with tf.cast"
        )
    return tensor


def check_size(x: tf.Tensor) -> None:
    """Checks that 32 bits can index the elements of `x`, as far as its shape is known.

    Raises:
        ValueError: `x` has 2^32 elements or more.
    """
    if (x.shape.num_elements() or 0) >= counter_rng.MAX_ELEMENTS:
        raise ValueError(
            "x must have fewer than 2^32 elements on the composite backend. Received: shape "
            f"{x.shape}; split it, or use the native backend"
        )


def int64_scalar(value: Any, name: str) -> int | tf.Tensor:
    """`value` as an op's int64 input: a scalar tensor, or the Python integer itself.

    An op takes a Python integer as it is; an eager constant would cost 3 us.

    Raises:
        ValueError: it is no integer, not a scalar, or does not fit into int64.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return integer(value, name, *INT64)
    tensor = tf.convert_to_tensor(value)
    if not tensor.dtype.is_integer or tensor.shape.rank not in (None, 0):
        raise ValueError(
            f"{name} must be an integer or a scalar integer tensor. Received: {value!r}"
        )
    return tf.cast(tensor, tf.int64)


def int64_tensors(inputs: Iterable[int | tf.Tensor]) -> list[tf.Tensor]:
    """An op's inputs as tensors: integers become int64 constants."""
    return [tf.constant(i, tf.int64) if isinstance(i, int) else i for i in inputs]
