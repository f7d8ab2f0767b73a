"""`keras.layers.LSTM` with quantized kernels, bias, gates, states, output, error and gradients."""

import keras
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.layers.base import ROLES, QuantizedLayer
from tq_halp.layers.lstm_cell import FixedForCall, QuantLSTMCell


class _WithQuantizedCell(keras.layers.RNN):
    """Receives the plain cell that `LSTM.__init__` hands to its super class, and swaps it.

    Standing between LSTM and RNN in the method resolution order, it keeps LSTM's own signature
    and argument handling; a cell replaced afterwards would stay tracked by Keras.
    """

    def __init__(self, cell, **kwargs):
        config = {**cell.get_config(), "implementation": cell.implementation}
        super().__init__(QuantLSTMCell.from_config(config), **kwargs)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantLSTM(QuantizedLayer, keras.layers.LSTM, _WithQuantizedCell):
    """The LSTM of Keras, every tensor of which can be quantized. With Q_r the quantizer of role r:

        z_t         = x_t Q_weights(W) + h_{t-1} Q_recurrent_weights(U) + Q_bias(b)
        i, f, g, o  = Q_gates(sigma(z_i)), Q_gates(sigma(z_f)), Q_gates(tanh(z_c)), ... sigma(z_o)
        c_t         = Q_state(f c_{t-1} + i g)
        h_t         = Q_state(o tanh(c_t))
        y_t         = Q_activations(h_t)           the recurrence continues with h_t, not with y_t

    Weights are quantized once per call, not once per time step; a given initial state is quantized
    too. `errors` quantizes the gradient of y (not what flows from one time step to the one before);
    `gradients` that of W, U and b, summed over time. Masks, dropout, `go_backwards`, `stateful` and
    the rest work as in Keras. cuDNN cannot quantize within a step and is never used.

    Args: those of `keras.layers.LSTM`, and weights, recurrent_weights, bias, activations, state,
        gates, gradients, errors: each None, "none", a `Quantizer`, a format or a mapping.
        recurrent_weights=None means the same as `weights`; "none" leaves U in floating point.

    Raises:
        InputError: a quantizer is wrong, or use_cudnn=True.
    """

    roles = ROLES

    @classmethod
    def choose(cls, given):
        if given["recurrent_weights"] is None:
            given = {**given, "recurrent_weights": given["weights"]}
        return super().choose(given)

    def __init__(self, *args, use_cudnn="auto", **kwargs):
        if use_cudnn is True:
            raise InputError("use_cudnn must be 'auto' or False for a QuantLSTM, received True")
        super().__init__(*args, use_cudnn=False, **kwargs)

    def get_config(self):
        config = super().get_config()
        if self.quantizers["weights"] is not None:
            config.setdefault("recurrent_weights", "none")
        return config

    def call(self, sequences, initial_state=None, mask=None, training=False):
        counter = self._start_call(training)
        # The cell finds what is fixed for this call the way Keras' own cells find dropout masks.
        self.cell.fixed = self._fix(counter)
        try:
            outputs = super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        finally:
            self.cell.fixed = None
        if self.return_state:
            return self._output(outputs[0], counter), *outputs[1:]
        return self._output(outputs, counter)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras' loop, from quantized states, and with a clock where random bits depend on it."""
        fixed = self.cell.fixed
        h, c = initial_state
        states = [fixed.state("hidden_state", h, 0), fixed.state("cell_state", c, 0)]
        if fixed.needs_clock:
            # One per sample: where the mask says so, Keras holds back the states of a sample.
            states.append(tf.zeros([tf.shape(sequences)[0], 1], tf.int64))
        last, outputs, states = super().inner_loop(sequences, states, mask, training)
        return last, outputs, states[:2]

    def _fix(self, counter):
        cell = self.cell
        return FixedForCall(
            kernel=self._weight("weights", "kernel", cell.kernel, counter),
            recurrent_kernel=self._weight(
                "recurrent_weights", "recurrent_kernel", cell.recurrent_kernel, counter
            ),
            bias=self._weight("bias", "bias", cell.bias, counter) if cell.use_bias else None,
            gate_quantizer=self.quantizers["gates"],
            state_quantizer=self.quantizers["state"],
            counter=counter,
            prefix=self.name,
        )
