"""Quantized `keras.layers.SimpleRNN` and its cell: all their tensors can be quantized."""

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.rnn_cell import RECURRENT_ROLES, FixedForCall, QuantizedCell, dropped
from tq_halp.layers.rnn_layer import QuantizedRecurrence, WithQuantizedCell

_ROLES = tuple(role for role in RECURRENT_ROLES if role != "gates")


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantSimpleRNNCell(QuantizedCell, QuantizedLayer, keras.layers.SimpleRNNCell):
    """One time step of `QuantSimpleRNN`, to be stacked or put into `keras.layers.RNN`.

    The formula is that of `QuantSimpleRNN`. The output is y_t = Q_activations(h_t). A given initial
    state is not quantized.

    Args: those of `keras.layers.SimpleRNNCell`, and the quantizers of `QuantSimpleRNN`.
    """

    roles = _ROLES

    def _step(
        self,
        fixed: FixedForCall,
        x: tf.Tensor,
        states: list[tf.Tensor],
        time: tf.Tensor | int,
        training: bool | None,
    ) -> list[tf.Tensor]:
        (h,) = states
        x_mask, h_mask = self._masks(x, h, training)
        z = ops.matmul(dropped(x, x_mask), fixed.kernel)
        if fixed.bias is not None:
            z = ops.add(z, fixed.bias)
        h = z + ops.matmul(dropped(h, h_mask), fixed.recurrent_kernel)
        if self.activation is not None:
            h = self.activation(h)
        return [fixed.state("hidden_state", h, time)]


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantSimpleRNN(
    QuantizedRecurrence, QuantizedLayer, keras.layers.SimpleRNN, WithQuantizedCell
):
    """The SimpleRNN of Keras with quantized tensors. With Q_r the quantizer of role r:

        h_t = Q_state(activation(x_t Q_weights(W) + Q_bias(b) + h_{t-1} Q_recurrent_weights(U)))
        y_t = Q_activations(h_t)                   the next step uses h_t, not y_t

    `errors` quantizes the gradient of y, not the gradients between time steps; `gradients` those of
    W, U and b, summed over time. See `QuantizedRecurrence` for the rest.

    Args: those of `keras.layers.SimpleRNN`, and weights, recurrent_weights, bias, activations,
        state, gradients, errors: each None, "none", a `Quantizer`, a format or a mapping.
        recurrent_weights=None: the same as `weights`; "none": U stays in floating point.

    Raises:
        InputError: a quantizer is wrong.
    """

    roles = _ROLES
    cell_class = QuantSimpleRNNCell
