"""Quantized `keras.layers.GRU` and its cell: all their tensors can be quantized."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.rnn_cell import FixedForCall, QuantizedCell, dropped
from tq_halp.layers.rnn_layer import QuantizedRecurrence, WithQuantizedCell


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantGRUCell(QuantizedCell, QuantizedLayer, keras.layers.GRUCell):
    """One time step of `QuantGRU`, to be stacked or put into `keras.layers.RNN`.

    The formula is that of `QuantGRU`. The output is y_t = Q_activations(h_t). A given initial state
    is not quantized.

    Args: those of `keras.layers.GRUCell`, and the quantizers of `QuantGRU`.
    """

    def _step(
        self,
        fixed: FixedForCall,
        x: tf.Tensor,
        states: list[tf.Tensor],
        time: tf.Tensor | int,
        training: bool | None,
    ) -> list[tf.Tensor]:
        (h,) = states
        (x_z, x_r, x_h), (h_z, h_r, candidate) = self._products(fixed, x, h, training)
        z = fixed.gate("update_gate", self.recurrent_activation(x_z + h_z), time)
        r = fixed.gate("reset_gate", self.recurrent_activation(x_r + h_r), time)
        g = fixed.gate("candidate", self.activation(x_h + candidate(r)), time)
        return [fixed.state("hidden_state", z * h + (1 - z) * g, time)]

    def _products(
        self, fixed: FixedForCall, x: tf.Tensor, h: tf.Tensor, training: bool | None
    ) -> tuple[Any, Any]:
        """(x_z, x_r, x_h) and (h_z, h_r, function from r to h_h), in Keras' order of operations."""
        units, bias, recurrent_bias = self.units, fixed.bias, None
        if bias is not None and self.reset_after:
            bias, recurrent_bias = ops.unstack(bias, 2, axis=0)
        x_mask, h_mask = self._masks(x, h, training)
        if self.implementation == 1:  # every gate has its own dropout masks
            xs = [dropped(x, x_mask and x_mask[k]) for k in range(3)]
            hs = [dropped(h, h_mask and h_mask[k]) for k in range(3)]
        else:
            xs, hs = [dropped(x, x_mask)], [h]
        x_z, x_r, x_h = _product(xs, fixed.kernel, bias)
        kernel = fixed.recurrent_kernel
        if self.reset_after:
            h_z, h_r, h_h = _product(hs, kernel, recurrent_bias)
            return (x_z, x_r, x_h), (h_z, h_r, lambda r: r * h_h)
        h_z, h_r = _product(hs[:2], kernel[:, : 2 * units], None, gates=2)
        return (x_z, x_r, x_h), (
            h_z,
            h_r,
            lambda r: ops.matmul(r * hs[-1], kernel[:, 2 * units :]),
        )


def _product(
    inputs: Sequence[tf.Tensor], kernel: tf.Tensor, bias: tf.Tensor | None, gates: int = 3
) -> list[tf.Tensor]:
    """[x_k W_k + b_k for each gate k]; one product if all gates have the same input."""
    if len(inputs) > 1:
        kernels = ops.split(kernel, gates, axis=1)
        products = [ops.matmul(x, w) for x, w in zip(inputs, kernels, strict=True)]
        if bias is None:
            return products
        return [z + b for z, b in zip(products, ops.split(bias, gates), strict=True)]
    product = ops.matmul(inputs[0], kernel)
    return ops.split(product if bias is None else ops.add(product, bias), gates, axis=-1)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantGRU(QuantizedRecurrence, QuantizedLayer, keras.layers.GRU, WithQuantizedCell):
    """The GRU of Keras with quantized tensors. With Q_r the quantizer of role r:

        z_t  = Q_gates(sigma(x_t W_z + b_z + h_{t-1} U_z + b'_z))
        r_t  = Q_gates(sigma(x_t W_r + b_r + h_{t-1} U_r + b'_r))
        g_t  = Q_gates(tanh(x_t W_h + b_h + r_t (h_{t-1} U_h + b'_h)))     reset_after=True
        g_t  = Q_gates(tanh(x_t W_h + b_h + (r_t h_{t-1}) U_h))            reset_after=False
        h_t  = Q_state(z_t h_{t-1} + (1 - z_t) g_t)
        y_t  = Q_activations(h_t)                  the next step uses h_t, not y_t

    Every W is Q_weights(W), every U Q_recurrent_weights(U), every b and b' Q_bias(.). Without
    reset_after there is no b'. `errors` quantizes the gradient of y, not the gradients between time
    steps; `gradients` those of W, U and b, summed over time. See `QuantizedRecurrence` for the
    rest.

    Args: those of `keras.layers.GRU`, and weights, recurrent_weights, bias, activations, state,
        gates, gradients, errors: each None, "none", a `Quantizer`, a format or a mapping.
        recurrent_weights=None: the same as `weights`; "none": U stays in floating point.

    Raises:
        InputError: a quantizer is wrong, or use_cudnn=True.
    """

    cell_class = QuantGRUCell
