"""Weight decay as part of the objective."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tq_halp")
class WeightDecay(keras.regularizers.Regularizer):
    """The penalty λ/2 ‖W‖², whose gradient is λ W: coupled weight decay.

    Part of every loss that Keras reports, in training and in evaluations.

    In `keras.config.floatx()`, whatever the type of W, for Keras adds it to a loss of that type;
    its own `L2` cannot be added for a layer of float64.

    Args:
        rate: λ.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """The penalty of a tensor, a scalar."""
        penalty = 0.5 * self.rate * keras.ops.sum(keras.ops.square(x))
        return keras.ops.cast(penalty, keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {"rate": self.rate}
