"""`keras.layers.Conv2D` with quantized kernel, bias, output, error and weight gradients."""

import keras
from keras import ops

from tq_halp.layers.base import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv2D(QuantizedLayer, keras.layers.Conv2D):
    """y = Q_activations(activation(x * Q_weights(W) + Q_bias(b))), * the convolution.

    Args: those of `keras.layers.Conv2D`, and weights, bias, activations, gradients, errors: each
        None, a `Quantizer`, a format or a mapping. See `QuantizedLayer` for what each does.
    """

    roles = ("weights", "bias", "activations", "gradients", "errors")

    def call(self, inputs, training=None):
        counter = self._start_call(training)
        kernel = self._weight("weights", "kernel", self.kernel, counter)
        x = self.convolution_op(inputs, kernel)
        if self.use_bias:
            channels_last = self.data_format == "channels_last"
            shape = (1, 1, 1, self.filters) if channels_last else (1, self.filters, 1, 1)
            x = ops.add(x, ops.reshape(self._weight("bias", "bias", self.bias, counter), shape))
        if self.activation is not None:
            x = self.activation(x)
        return self._output(x, counter)
