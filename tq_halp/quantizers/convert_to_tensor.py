"""Conversion of a quantizer's input into a tensor."""

from typing import Any

import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError


def tensor(x: Any) -> tf.Tensor:
    """x as a tensor.

    Raises:
        InputError: x is a masked array. A tensor has no mask, so masked elements would count.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise InputError(
            "x must be a tensor or an array without a mask. Received: a numpy.ma.MaskedArray; "
            "fill it (`filled`) first"
        )
    return tf.convert_to_tensor(x)
