"""The base of quantized RNN cells, which quantize weights once per call for all time steps."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from tq_halp.keras_internals.call_context import call_record, close_call_record, kept_dropout_masks
from tq_halp.layers.quantized_layer_mixin import ROLES, QuantizedLayer, Quantizers
from tq_halp.layers.rnn_step_number import time_within
from tq_halp.layers.variable_substitution import calling
from tq_halp.mixin_typing import MixinBase
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock

RECURRENT_ROLES = tuple(role for role in ROLES if role != "accumulator")


class RecurrentRoles(MixinBase):
    """Mixin before `QuantizedLayer`: by default, U has the quantizer of W.

    recurrent_weights=None: the same as `weights`; "none": U stays in floating point.
    """

    roles: tuple[str, ...] = RECURRENT_ROLES

    @classmethod
    def choose(cls, given: Mapping[str, Any]) -> Quantizers:
        """As `QuantizedLayer.choose`, with the default for `recurrent_weights`."""
        if given["recurrent_weights"] is None:
            given = {**given, "recurrent_weights": given["weights"]}
        return super().choose(given)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.quantizers.get("weights") is not None:
            config.setdefault("recurrent_weights", "none")
        return config

    @classmethod
    def role_of(cls, variable: keras.Variable) -> str:
        """The role of one of the layer's weights."""
        is_recurrent = variable.name == "recurrent_kernel"
        return "recurrent_weights" if is_recurrent else super().role_of(variable)


@dataclasses.dataclass
class FixedForCall:
    """The tensors of one call of an RNN that are the same in all time steps."""

    source: QuantizedLayer  # owner of quantizers and counter: the RNN layer or the cell
    counter: tf.Tensor | int  # of the call; time step t uses counter + t
    kernel: tf.Tensor  # Q(W)
    recurrent_kernel: tf.Tensor  # Q(U)
    bias: tf.Tensor | None  # Q(b)
    trains: bool = False  # whether the call is a training call
    first_input: tf.Tensor | None = None  # of the first time step

    def gate(self, name: str, x: tf.Tensor, time: tf.Tensor | int) -> tf.Tensor:
        """Q_gates(x) at a time step."""
        return self.source._quantize("gates", name, x, self.counter + time)

    def state(self, name: str, x: tf.Tensor, time: tf.Tensor | int) -> tf.Tensor:
        """Q_state(x) at a time step."""
        return self.source._quantize("state", name, x, self.counter + time)


# For the cells of layers such as `QuantLSTM`, during their calls: the quantized weights.
_fixed_by_layer: contextvars.ContextVar[Mapping[keras.Layer, FixedForCall]] = (
    contextvars.ContextVar("tq_halp.layers.rnn_cell", default=MappingProxyType({}))
)


class QuantizedCell(RecurrentRoles):
    """Mixin before `QuantizedLayer` and a Keras cell. It computes the time step on `FixedForCall`.

    In any `keras.layers.RNN`, stacked or not, weights are quantized once per call of the RNN. Keras
    gets a cell's dropout masks before the loop over time and resets them after it. The cell makes
    and drops its `FixedForCall` at the same moments. A cell that is called by itself computes one
    time step. Layers such as `QuantLSTM` make the `FixedForCall` of their cell themselves.

    The cell stores nothing of a call. A `FixedForCall` belongs to the outermost call under way in
    the thread, and ends with it, also by an exception. Only the count of time steps, from which
    random bits are drawn, is a variable. Every call sets it to 0. So two threads that run the same
    stochastic RNN at the same time would share it.

    A subclass sets `state_names` and defines `_step(fixed, x, states, time, training)`, which
    returns the new states.
    """

    state_names: tuple[str, ...] = ("hidden_state",)
    time: tf.Variable | None = None  # the time step, if random bits depend on it
    # Defaults for the cell inside a `QuantLSTM`: Keras makes it, and the layer has the quantizers.
    quantizers: Quantizers = {}
    rounding_counter: CallCounter | None = None
    clock: TrainingClock | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keep_time_for(self, ("gates", "state", "activations", "errors"))

    def call(  # type: ignore[no-untyped-def]  # as Keras' own
        self,
        inputs,
        states,
        training=False,
    ):
        fixed = self.fixed_by_layer or self._fixed_by_call().get(self)
        if fixed is not None:
            fixed.trains = bool(training)
            return self._quantized_step(fixed, inputs, states, training)
        if not self.is_quantizing:
            return super().call(inputs, states, training=training)
        if _graphs(kept_dropout_masks(self)) - _graphs(inputs):  # of another graph: of no use
            self.drop_masks()
        self.set_time(0)
        fixed = self.fix(self, self._start_call(training, inputs))
        return self._quantized_step(fixed, inputs, states, training)

    def get_dropout_mask(self, step_input: tf.Tensor) -> Any:
        """Keras' mask. An RNN asks for it before its loop, when the weights are quantized."""
        if self.is_quantizing:
            self.drop_masks()
            # Keras does not tell whether this is training. So the counter advances after the loop.
            fixed = self.fix(self, self._start_call(training=False))
            fixed.first_input = step_input
            self._fixed_by_call()[self] = fixed
            if self.time is not None:
                outermost = call_record(self).entry_layer
                self.set_time(0 if outermost is self else time_within(outermost, self))
        return super().get_dropout_mask(step_input)

    def reset_dropout_mask(self) -> None:
        """An RNN calls this after its loop, when the quantized weights are dropped."""
        super().reset_dropout_mask()
        if self.is_quantizing:
            fixed = self._fixed_by_call().pop(self, None)
            if fixed is not None and fixed.trains:
                self._start_call(training=True, inputs=fixed.first_input)

    @contextlib.contextmanager
    def fixing(self, source: QuantizedLayer, counter: tf.Tensor | int) -> Iterator[FixedForCall]:
        """A context, in this thread, in which the cell uses weights quantized by `source`."""
        fixed = self.fix(source, counter)
        token = _fixed_by_layer.set({**_fixed_by_layer.get(), self: fixed})
        self.set_time(0)
        try:
            yield fixed
        finally:
            _fixed_by_layer.reset(token)

    def _fixed_by_call(self) -> dict[keras.Layer, FixedForCall]:
        """{cell: FixedForCall} of the call under way; empty if the cell is called by itself.

        Stored in Keras' record of the outermost call, which ends with it.
        """
        record = call_record(self)
        if record.entry_layer is self:  # not within an RNN's call
            close_call_record(self)
            return {}
        return vars(record).setdefault("fixed_by_quantized_cells", {})

    @property
    def fixed_by_layer(self) -> FixedForCall | None:
        """The tensors that the calling layer, such as a `QuantLSTM`, made for its cell; or None."""
        return _fixed_by_layer.get().get(self)

    def drop_masks(self) -> None:
        """Resets the dropout masks, which an exception may have left in the cell."""
        super().reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    def keep_time_for(self, source: QuantizedLayer, roles: Iterable[str]) -> None:
        """Makes the cell count time steps if `source` rounds any of these roles stochastically."""
        used = (source.quantizers.get(role) for role in roles)
        if any(quantizer is not None and quantizer.stochastic for quantizer in used):
            with tf.init_scope():
                # Not a state to be saved: every call sets it, in each replica.
                self.time = tf.Variable(
                    tf.zeros([], tf.int64),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )

    def set_time(self, time: tf.Tensor | int) -> None:
        """Sets the count of time steps, if the cell counts them."""
        if self.time is not None:
            self.time.assign(time)

    def fix(self, source: QuantizedLayer, counter: tf.Tensor | int) -> FixedForCall:
        """The cell's weights, quantized by `source`, for the call with this counter."""

        def weight(role: str, variable: keras.Variable) -> tf.Tensor:
            value = keras.ops.cast(variable, self.compute_dtype)
            return source._weight(role, variable.name, value, counter)

        with calling(self):
            return FixedForCall(
                source=source,
                counter=counter,
                kernel=weight("weights", self.kernel),
                recurrent_kernel=weight("recurrent_weights", self.recurrent_kernel),
                bias=weight("bias", self.bias) if self.use_bias else None,
            )

    def _quantized_step(
        self, fixed: FixedForCall, x: tf.Tensor, states: Any, training: bool | None
    ) -> tuple[tf.Tensor, Any]:
        time = 0 if self.time is None else tf.convert_to_tensor(self.time.assign_add(1))
        is_nested = keras.tree.is_nested(states)
        new = self._step(fixed, x, states if is_nested else [states], time, training)
        y = new[0]
        if fixed.source is self:
            y = self._output(y, fixed.counter + time)
        return y, new if is_nested else new[0]

    def _masks(self, x: tf.Tensor, h: tf.Tensor, training: bool | None) -> tuple[Any, Any]:
        """The dropout masks of x and h; None: no dropout."""
        x_mask = super().get_dropout_mask(x) if training and self.dropout else None
        if not training or not self.recurrent_dropout:
            return x_mask, None
        return x_mask, self.get_recurrent_dropout_mask(h)


def _graphs(tensors: Any) -> set[tf.Graph]:
    """The graphs of symbolic tensors."""
    return {x.graph for x in keras.tree.flatten(tensors) if hasattr(x, "graph")}


def dropped(x: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """x times its dropout mask, if there is one."""
    return x if mask is None else x * mask
