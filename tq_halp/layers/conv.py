"""Quantized convolutions of Keras: plain, transposed, depthwise and separable.

All compute y = Q_activations(activation(x * Q_weights(W) + Q_bias(b))), where * is the layer's kind
of convolution. Their arguments are those of the Keras layer, and weights, bias, activations,
gradients, errors: each None, a `Quantizer`, a format or a mapping. See `QuantizedLayer` for what
each does. The plain convolutions also take an accumulator, which rounds the running sum of x * W:
see `AccumulatedConvolution`.
"""

import keras

from tq_halp.layers.accumulator_layers import AccumulatedConvolution
from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES, QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv1D(AccumulatedConvolution, QuantizedLayer, keras.layers.Conv1D):
    """`keras.layers.Conv1D` with W, b, y, their gradients and its running sum quantized."""


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv2D(AccumulatedConvolution, QuantizedLayer, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with W, b, y, their gradients and its running sum quantized."""


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv3D(AccumulatedConvolution, QuantizedLayer, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with W, b, y, their gradients and its running sum quantized."""


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv1DTranspose(QuantizedLayer, keras.layers.Conv1DTranspose):
    """`keras.layers.Conv1DTranspose` with W, b, y and their gradients quantized."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv2DTranspose(QuantizedLayer, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with W, b, y and their gradients quantized."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantConv3DTranspose(QuantizedLayer, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` with W, b, y and their gradients quantized."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantDepthwiseConv1D(QuantizedLayer, keras.layers.DepthwiseConv1D):
    """`keras.layers.DepthwiseConv1D` with W, b, y and their gradients quantized."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantDepthwiseConv2D(QuantizedLayer, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with W, b, y and their gradients quantized."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantSeparableConv1D(QuantizedLayer, keras.layers.SeparableConv1D):
    """`keras.layers.SeparableConv1D`; the depthwise and the pointwise kernel are both weights."""

    roles = PRODUCT_ROLES


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantSeparableConv2D(QuantizedLayer, keras.layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D`; the depthwise and the pointwise kernel are both weights."""

    roles = PRODUCT_ROLES
