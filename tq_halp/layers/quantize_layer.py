"""`Quantize`: a layer that quantizes its input, for any place in a Keras model."""

from typing import Any

import keras

from tq_halp.layers.quantized_layer_mixin import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class Quantize(QuantizedLayer, keras.layers.Layer):
    """y = Q_activations(x); backward dx = dQ_activations/dx * Q_errors(dy).

    Args:
        activations: quantizer of the output: None, a `Quantizer`, a format or a mapping.
        errors: quantizer of the incoming gradient, likewise.
        **kwargs: as for `keras.layers.Layer`.

    Input: a float tensor of any shape. Output: the same dtype and shape.

    Raises:
        InputError: a quantizer is wrong.
    """

    roles = ("activations", "errors")

    def __init__(self, activations: Any = None, errors: Any = None, **kwargs: Any) -> None:
        super().__init__(activations=activations, errors=errors, **kwargs)
        self.supports_masking = True

    def call(self, inputs, training=None):  # type: ignore[no-untyped-def]  # as Keras' own
        return self._output(inputs, self._start_call(training, inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
