"""A quantizer as a layer of its own, to put anywhere in a Keras model."""

from typing import Any

import keras
import tensorflow as tf

from tq_halp.layers.quantized_layer import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class Quantize(QuantizedLayer, keras.layers.Layer):
    """y = Q(x), and backward dx = dQ/dx * Q_errors(dy).

    Args:
        activations: the quantizer of the forward pass: None, a `Quantizer`, a format or a mapping.
        errors: the quantizer of the gradient that flows back.

    Input shape: any, of a float dtype. Output shape: the same.
    """

    roles = ("activations", "errors")

    def __init__(self, activations: Any = None, errors: Any = None, **kwargs: Any) -> None:
        super().__init__(activations=activations, errors=errors, **kwargs)
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self._output(inputs, self._start_call(training, inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
