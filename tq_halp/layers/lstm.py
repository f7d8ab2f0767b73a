"""Quantized `keras.layers.LSTM` and its cell: all their tensors can be quantized."""

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.rnn_cell import FixedForCall, QuantizedCell, dropped
from tq_halp.layers.rnn_layer import QuantizedRecurrence, WithQuantizedCell


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantLSTMCell(QuantizedCell, QuantizedLayer, keras.layers.LSTMCell):
    """One time step of `QuantLSTM`, to be stacked or put into `keras.layers.RNN`.

    The formula is that of `QuantLSTM`. The output is y_t = Q_activations(h_t). Given initial states
    are not quantized.

    Args: those of `keras.layers.LSTMCell`, and the quantizers of `QuantLSTM`.
    """

    state_names = ("hidden_state", "cell_state")

    def _step(
        self,
        fixed: FixedForCall,
        x: tf.Tensor,
        states: list[tf.Tensor],
        time: tf.Tensor | int,
        training: bool | None,
    ) -> list[tf.Tensor]:
        h, c = states
        z_i, z_f, z_c, z_o = self._pre_activations(fixed, x, h, training)
        i = fixed.gate("input_gate", self.recurrent_activation(z_i), time)
        f = fixed.gate("forget_gate", self.recurrent_activation(z_f), time)
        g = fixed.gate("candidate", self.activation(z_c), time)
        o = fixed.gate("output_gate", self.recurrent_activation(z_o), time)
        c = fixed.state("cell_state", f * c + i * g, time)
        h = fixed.state("hidden_state", o * self.activation(c), time)
        return [h, c]

    def _pre_activations(
        self, fixed: FixedForCall, x: tf.Tensor, h: tf.Tensor, training: bool | None
    ) -> list[tf.Tensor]:
        """x W + h U + b for the gates i, f, c, o, in Keras' order of operations."""
        x_mask, h_mask = self._masks(x, h, training)
        if self.implementation != 1:
            z = ops.matmul(dropped(x, x_mask), fixed.kernel)
            z = z + ops.matmul(h, fixed.recurrent_kernel)  # not `ops.add`: an empty z is no bias
            return ops.split(z if fixed.bias is None else ops.add(z, fixed.bias), 4, axis=1)
        # Keras' implementation 1: every gate has its own dropout masks.
        kernels = ops.split(fixed.kernel, 4, axis=1)
        recurrent_kernels = ops.split(fixed.recurrent_kernel, 4, axis=1)
        biases = [None] * 4 if fixed.bias is None else ops.split(fixed.bias, 4, axis=0)
        gates = []
        for k in range(4):
            z = ops.matmul(dropped(x, x_mask and x_mask[k]), kernels[k])
            z = z if biases[k] is None else z + biases[k]
            gates.append(z + ops.matmul(dropped(h, h_mask and h_mask[k]), recurrent_kernels[k]))
        return gates


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantLSTM(QuantizedRecurrence, QuantizedLayer, keras.layers.LSTM, WithQuantizedCell):
    """The LSTM of Keras with quantized tensors. With Q_r the quantizer of role r:

        z_t         = x_t Q_weights(W) + h_{t-1} Q_recurrent_weights(U) + Q_bias(b)
        i, f, g, o  = Q_gates(sigma(z_i)), Q_gates(sigma(z_f)), Q_gates(tanh(z_c)), ... sigma(z_o)
        c_t         = Q_state(f c_{t-1} + i g)
        h_t         = Q_state(o tanh(c_t))
        y_t         = Q_activations(h_t)           the next step uses h_t, not y_t

    `errors` quantizes the gradient of y, not the gradients between time steps; `gradients` those of
    W, U and b, summed over time. Masks, dropout, `go_backwards` and `stateful` are as in Keras. See
    `QuantizedRecurrence` for the rest.

    Args: those of `keras.layers.LSTM`, and weights, recurrent_weights, bias, activations, state,
        gates, gradients, errors: each None, "none", a `Quantizer`, a format or a mapping.
        recurrent_weights=None: the same as `weights`; "none": U stays in floating point.

    Raises:
        InputError: a quantizer is wrong, or use_cudnn=True.
    """

    cell_class = QuantLSTMCell
