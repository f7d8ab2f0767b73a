"""`keras.layers.Conv2D` with quantized kernel, bias, output, error and weight gradients."""

import keras

from tq_halp.layers.base import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv2D(QuantizedLayer, keras.layers.Conv2D):
    """y = Q_activations(activation(x * Q_weights(W) + Q_bias(b))), * the convolution.

    Args: those of `keras.layers.Conv2D`, and weights, bias, activations, gradients, errors: each
        None, a `Quantizer`, a format or a mapping. See `QuantizedLayer` for what each does.
    """

    roles = ("weights", "bias", "activations", "gradients", "errors")
