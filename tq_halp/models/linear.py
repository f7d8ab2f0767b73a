"""Linear regression, logistic regression, and the loss of least squares."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tq_halp.models.weight_decay import WeightDecay


def linear(features: int, *, dtype: str = "float32") -> keras.Model:
    """Linear regression without a bias, y = x w: (batch, features) -> (batch, 1). w starts at 0."""
    x = keras.Input((features,), dtype=dtype, name="x")
    y = keras.layers.Dense(
        1, use_bias=False, kernel_initializer="zeros", dtype=dtype, name="linear"
    )(x)
    return keras.Model(x, y, name="linear")


def linear_classifier(
    shape: Sequence[int],
    classes: int,
    *,
    weight_decay: float = 0.0,
    pixels: bool = False,
    dtype: str = "float32",
) -> keras.Model:
    """Multinomial logistic regression: logits x W + b, (batch, classes). W and b start at 0.

    The dense layer is named "logits". Use it with
    `SparseCategoricalCrossentropy(from_logits=True)`; with a `weight_decay` the objective is
    strongly convex in W.

    Args:
        shape: shape of one example, which is flattened.
        classes: number of classes.
        weight_decay: λ of a penalty λ/2 ‖W‖², whose gradient is λ W.
        pixels: whether x is uint8, to be scaled from 0..255 to [0, 1].
        dtype: dtype policy of all layers, and dtype of x unless it is pixels.
    """
    x = keras.Input(shape, dtype="uint8" if pixels else dtype, name="x")
    y = keras.layers.Rescaling(1 / 255, dtype=dtype, name="scaled")(x) if pixels else x
    y = keras.layers.Flatten(dtype=dtype, name="flat")(y)
    y = keras.layers.Dense(
        classes,
        kernel_initializer="zeros",
        kernel_regularizer=WeightDecay(weight_decay) if weight_decay else None,
        dtype=dtype,
        name="logits",
    )(y)
    return keras.Model(x, y, name="linear_classifier")


@keras.saving.register_keras_serializable(package="tq_halp")
class HalfMeanSquaredError(keras.losses.Loss):
    """½ (y − ŷ)², averaged over the examples. For a linear model it is (1/2N)‖Xw − y‖²."""

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Losses of shape (batch,) for y_true and y_pred of shape (batch, outputs)."""
        difference = y_pred - keras.ops.cast(y_true, y_pred.dtype)
        return 0.5 * keras.ops.mean(keras.ops.square(difference), axis=-1)
