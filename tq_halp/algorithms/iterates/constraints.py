"""Keras' constraints of weights, beside a grid: which comes last.

Keras' optimizers project: w ← P(w) after each step. Rounding moves w once more, so one of the two
must have the last word:

- Where the weights are numbers of a format (LP-SGD, LP-SVRG, SWALP's iterate), rounding has it:
  w ← Q(P(w)). NonNeg holds still, since 0 is a number of the format; a bound of a norm (MaxNorm,
  MinMaxNorm, UnitNorm) holds up to the rounding of each weight, at most one step of the grid.
- Where they are a full-precision centre plus an offset on a grid (HALP, bit-centered SGD), the
  projection has it: w ← P(w̃ + z) with z ← Q(P(w) − w̃). The constraint holds as in plain training.
"""

import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


def constrained(variable: keras.Variable, value: tf.Tensor) -> tf.Tensor:
    """P(value), with the constraint of a weight; ``value`` itself where it has none."""
    if variable.constraint is None:
        return value
    return tf.cast(tf.convert_to_tensor(variable.constraint(value)), value.dtype)


def check_on_grid(variables: list[keras.Variable], quantizer: Quantizer) -> None:
    """InputError where a weight must not be negative and the format has no number to end at."""
    for variable in variables:
        if isinstance(variable.constraint, keras.constraints.NonNeg):
            if np.asarray(quantizer(np.zeros(variable.shape, variable.dtype))).any():
                raise InputError(
                    f"format must have the number 0 for the NonNeg constraint of {variable.path}. "
                    f"Received: {quantizer.format}"
                )
