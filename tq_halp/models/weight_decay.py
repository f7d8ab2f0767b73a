"""Weight decay as an L2 penalty in the objective."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tq_halp")
class WeightDecay(keras.regularizers.Regularizer):
    """The penalty λ/2 ‖W‖², whose gradient is λ W: coupled weight decay.

    It is part of every loss that Keras reports, in training and in evaluation.

    The penalty has the dtype `keras.config.floatx()`, whatever that of W, for Keras adds it to a
    loss of that dtype. Keras' own `L2` fails for a float64 layer.

    Args:
        rate: λ.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """The penalty of the weight x, of any shape: a scalar."""
        penalty = 0.5 * self.rate * keras.ops.sum(keras.ops.square(x))
        return keras.ops.cast(penalty, keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"rate": self.rate}
