"""Keras' weight constraints together with rounding: which of the two comes last.

Keras' optimizers project after each step: w ← P(w), with P the constraint. Rounding moves w again.

- If the weights are numbers of a format (LP-SGD, LP-SVRG, the iterates of SWALP), rounding comes
  last: w ← Q(P(w)). NonNeg still holds, since 0 is a number of the format. A bound of the norm
  (MaxNorm, MinMaxNorm, UnitNorm) holds up to an error of at most one grid step in each weight.
- If the weights are a full-precision center plus an offset on a grid (HALP, bit-centered SGD), the
  projection comes last: w ← P(w̃ + z) with z ← Q(P(w) − w̃). The constraint holds exactly.
"""

import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


def constrained(variable: keras.Variable, value: tf.Tensor) -> tf.Tensor:
    """P(value), where P is the constraint of ``variable``; ``value`` if it has no constraint."""
    if variable.constraint is None:
        return value
    return tf.cast(tf.convert_to_tensor(variable.constraint(value)), value.dtype)


def check_on_grid(variables: list[keras.Variable], quantizer: Quantizer) -> None:
    """Raises InputError if a weight has the constraint NonNeg and the format has no 0."""
    for variable in variables:
        if isinstance(variable.constraint, keras.constraints.NonNeg):
            if np.asarray(quantizer(np.zeros(variable.shape, variable.dtype))).any():
                raise InputError(
                    f"format must have the number 0 for the NonNeg constraint of {variable.path}. "
                    f"Received: {quantizer.format}"
                )
