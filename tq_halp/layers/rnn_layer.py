"""The base of quantized RNN layers with one cell, such as `QuantLSTM`."""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.layers.rnn_cell import RecurrentRoles
from tq_halp.layers.rnn_step_number import time_before


class WithQuantizedCell(keras.layers.RNN):
    """Turns the cell that a layer such as `LSTM` passes to its super class into a quantized one.

    It stands between LSTM and RNN in the method resolution order, so LSTM's own signature and
    argument handling remain. The cell remains the same object. A second cell would be tracked by
    Keras, and would draw seeds, so that initial weights would differ from those of plain Keras.
    """

    def __init__(self, cell: keras.Layer, **kwargs: Any) -> None:
        cell.__class__ = self.cell_class
        super().__init__(cell, **kwargs)


class QuantizedRecurrence(RecurrentRoles):
    """Mixin before `QuantizedLayer` and a Keras RNN layer such as `LSTM`. It needs a `cell_class`.

    Weights are quantized once per call, not once per time step. A given initial state is quantized
    too. The output is quantized as a sequence, after the loop. cuDNN cannot quantize inside a time
    step, and is not used if any tensor has a quantizer.

    Raises:
        InputError: a quantizer is wrong, or use_cudnn=True; in a call, the sequences are ragged, or
            have no time steps.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cell.keep_time_for(self, ("gates", "state"))
        # A weak reference, which Keras does not save as a layer of the cell.
        self.cell.__dict__["quantizer_source"] = weakref.ref(self)
        use_cudnn = getattr(self, "use_cudnn", False)
        if use_cudnn is True:
            raise InputError(
                f"use_cudnn must be 'auto' or False for a {type(self).__name__}. Received: True"
            )
        if use_cudnn and self.is_quantizing:
            self.use_cudnn = False

    def call(  # type: ignore[no-untyped-def]  # as Keras' own
        self,
        sequences,
        initial_state=None,
        mask=None,
        training=False,
    ):
        _check(self, sequences)
        counter = self._start_call(training, sequences)
        with self._fixing_cell(counter):
            outputs = super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        if self.return_state:
            return self._output(outputs[0], counter), *outputs[1:]
        return self._output(outputs, counter)

    def inner_loop(
        self,
        sequences: tf.Tensor,
        initial_state: Any,
        mask: tf.Tensor | None,
        training: bool = False,
    ) -> Any:
        """Keras' loop over time, from a quantized initial state."""
        if (fixed := self.cell.fixed_by_layer) is not None:
            # An initial state is quantized as at time 0.
            named = zip(self.cell.state_names, initial_state, strict=True)
            initial_state = [fixed.state(name, state, 0) for name, state in named]
            self.cell.set_time(time_before(self))
        return super().inner_loop(sequences, initial_state, mask, training)

    @contextlib.contextmanager
    def _fixing_cell(self, counter: tf.Tensor | int) -> Iterator[None]:
        """A context in which the cell uses this layer's quantizers, if a role inside it has one."""
        inside = [role for role in self.roles if role not in ("activations", "errors")]
        try:
            if all(self.quantizers[role] is None for role in inside):
                yield
            else:
                with self.cell.fixing(self, counter):
                    yield
        finally:
            self.cell.drop_masks()


def _check(layer: keras.Layer, sequences: tf.Tensor) -> None:
    if isinstance(sequences, tf.RaggedTensor):
        raise InputError(
            f"{layer.name}: sequences must be a dense tensor, padded and with a mask (see "
            f"keras.layers.Masking). Received: a ragged one of shape {sequences.shape}"
        )
    if sequences.shape[1] == 0:
        raise InputError(
            f"{layer.name}: sequences must have at least one time step. Received: shape "
            f"{tuple(sequences.shape)}"
        )
