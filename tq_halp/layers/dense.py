"""Quantized `keras.layers.Dense` and `EinsumDense`."""

import keras
import tensorflow as tf

from tq_halp.layers.accumulator_layers import AccumulatedProduct, Multiply
from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES, QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantDense(AccumulatedProduct, QuantizedLayer, keras.layers.Dense):
    """y = Q_activations(activation(x Q_weights(W) + Q_bias(b))); see `QuantizedLayer` for the rest.

    Args: those of `keras.layers.Dense`, and weights, bias, activations, gradients, errors: each
        None, a `Quantizer`, a format or a mapping; and accumulator: None, an `Accumulator` or a
        mapping, which rounds the running sum of x W: see `AccumulatedProduct`.
    """

    def _product(self, multiply: Multiply, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return multiply(x, kernel)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantEinsumDense(QuantizedLayer, keras.layers.EinsumDense):
    """y = Q_activations(activation(einsum(equation, x, Q_weights(W)) + Q_bias(b))).

    Args: those of `keras.layers.EinsumDense`, and weights, bias, activations, gradients, errors:
        each None, a `Quantizer`, a format or a mapping. See `QuantizedLayer` for what each does.
    """

    roles = PRODUCT_ROLES
