"""What quantizers take: tensors, and what becomes one with nothing left out."""

from typing import Any

import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError


def tensor(x: Any) -> tf.Tensor:
    """x as a tensor.

    Raises:
        InputError: it is a masked array: a tensor has no mask, so what is masked would count.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise InputError(
            "x must be a tensor or an array without a mask. Received: a numpy.ma.MaskedArray; "
            "fill it (`filled`) first"
        )
    return tf.convert_to_tensor(x)
