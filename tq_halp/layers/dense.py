"""`keras.layers.Dense` with quantized kernel, bias, output, error and weight gradients."""

import keras

from tq_halp.layers.base import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantDense(QuantizedLayer, keras.layers.Dense):
    """y = Q_activations(activation(x Q_weights(W) + Q_bias(b))); see `QuantizedLayer` for the rest.

    Args: those of `keras.layers.Dense`, and weights, bias, activations, gradients, errors: each
        None, a `Quantizer`, a format or a mapping.
    """

    roles = ("weights", "bias", "activations", "gradients", "errors")
