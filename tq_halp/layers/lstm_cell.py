"""One time step of a quantized LSTM."""

import dataclasses

import keras
import tensorflow as tf
from keras import ops

from tq_halp.quantizers import Quantizer


@dataclasses.dataclass(frozen=True)
class FixedForCall:
    """What one call of the layer fixes for all its time steps, computed before the loop."""

    kernel: tf.Tensor  # Q(W), [features, 4 units]
    recurrent_kernel: tf.Tensor  # Q(U), [units, 4 units]
    bias: tf.Tensor | None  # Q(b), [4 units]
    gate_quantizer: Quantizer | None
    state_quantizer: Quantizer | None
    counter: tf.Tensor | int  # of the call; that of time step t is counter + t
    prefix: str  # the layer's name, for the random bits of each tensor

    @property
    def needs_clock(self) -> bool:
        used = (self.gate_quantizer, self.state_quantizer)
        return any(quantizer is not None and quantizer.stochastic for quantizer in used)

    def gate(self, name, x, time):
        return self._quantize(self.gate_quantizer, name, x, time)

    def state(self, name, x, time):
        return self._quantize(self.state_quantizer, name, x, time)

    def _quantize(self, quantizer, name, x, time):
        if quantizer is None:
            return x
        return quantizer.derive(f"{self.prefix}/{name}")(x, self.counter + time)


class QuantLSTMCell(keras.layers.LSTMCell):
    """The cell inside `QuantLSTM`: Keras' step on the tensors in `fixed`, every gate quantized.

    The states are [h, c] and, where random bits depend on the time step, a clock, [batch, 1] int64:
    0 before the first step. Not for use on its own: `QuantLSTM.call` sets `fixed`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fixed: FixedForCall | None = None

    def call(self, inputs, states, training=False):
        h, c, *clock = states
        # Samples can disagree where they are masked; the latest clock never repeats a time.
        time = tf.reduce_max(clock[0]) + 1 if clock else 0
        fixed = self.fixed
        z_i, z_f, z_c, z_o = self._pre_activations(inputs, h, training)
        i = fixed.gate("input_gate", self.recurrent_activation(z_i), time)
        f = fixed.gate("forget_gate", self.recurrent_activation(z_f), time)
        g = fixed.gate("candidate", self.activation(z_c), time)
        o = fixed.gate("output_gate", self.recurrent_activation(z_o), time)
        c = fixed.state("cell_state", f * c + i * g, time)
        h = fixed.state("hidden_state", o * self.activation(c), time)
        return h, [h, c, *(tf.zeros_like(now) + time for now in clock)]

    def _pre_activations(self, x, h, training):
        """x W + h U + b for the gates i, f, c, o, in the same order of operations as Keras'."""
        fixed = self.fixed
        x_mask = self.get_dropout_mask(x) if training and self.dropout else None
        h_mask = self.get_recurrent_dropout_mask(h) if training and self.recurrent_dropout else None
        if self.implementation != 1:
            x = x if x_mask is None else x * x_mask
            z = ops.add(ops.matmul(x, fixed.kernel), ops.matmul(h, fixed.recurrent_kernel))
            return ops.split(z if fixed.bias is None else ops.add(z, fixed.bias), 4, axis=1)
        # Keras' implementation 1: every gate has dropout masks of its own.
        kernels = ops.split(fixed.kernel, 4, axis=1)
        recurrent_kernels = ops.split(fixed.recurrent_kernel, 4, axis=1)
        biases = [None] * 4 if fixed.bias is None else ops.split(fixed.bias, 4, axis=0)
        gates = []
        for k, (kernel, recurrent_kernel, bias) in enumerate(
            zip(kernels, recurrent_kernels, biases, strict=True)
        ):
            z = ops.matmul(x if x_mask is None else x * x_mask[k], kernel)
            z = z if bias is None else z + bias
            gates.append(z + ops.matmul(h if h_mask is None else h * h_mask[k], recurrent_kernel))
        return gates
