"""What quantized RNN cells share: tensors that a call of the RNN fixes for all its time steps."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import keras
import tensorflow as tf

from tq_halp.keras_internals.calls import call_record, close_call_record, kept_dropout_masks
from tq_halp.layers.quantized_layer import ROLES, QuantizedLayer
from tq_halp.layers.rnn_time_steps import time_within
from tq_halp.layers.variable_substitution import calling

RECURRENT_ROLES = tuple(role for role in ROLES if role != "accumulator")


class RecurrentRoles:
    """Mixin before `QuantizedLayer`: U is quantized like W, unless it has a quantizer of its own.

    recurrent_weights=None means the same as `weights`; "none" leaves U in floating point.
    """

    roles = RECURRENT_ROLES

    @classmethod
    def choose(cls, given):
        if given["recurrent_weights"] is None:
            given = {**given, "recurrent_weights": given["weights"]}
        return super().choose(given)

    def get_config(self):
        config = super().get_config()
        if self.quantizers.get("weights") is not None:
            config.setdefault("recurrent_weights", "none")
        return config

    @classmethod
    def role_of(cls, variable):
        is_recurrent = variable.name == "recurrent_kernel"
        return "recurrent_weights" if is_recurrent else super().role_of(variable)


@dataclasses.dataclass
class FixedForCall:
    """What one call of an RNN fixes for all its time steps, computed before the loop."""

    source: QuantizedLayer  # whose quantizers and whose random bits: the RNN layer or the cell
    counter: tf.Tensor | int  # of the call; that of time step t is counter + t
    kernel: tf.Tensor  # Q(W)
    recurrent_kernel: tf.Tensor  # Q(U)
    bias: tf.Tensor | None  # Q(b)
    trains: bool = False  # whether a time step was one of training
    first_input: tf.Tensor | None = None  # of the loop's first step

    def gate(self, name, x, time):
        return self.source._quantize("gates", name, x, self.counter + time)

    def state(self, name, x, time):
        return self.source._quantize("state", name, x, self.counter + time)


# What layers like `QuantLSTM` have fixed for their cells, while they are called.
_lent: contextvars.ContextVar[Mapping[keras.Layer, FixedForCall]] = contextvars.ContextVar(
    "tq_halp.layers.rnn_cell", default=MappingProxyType({})
)


class QuantizedCell(RecurrentRoles):
    """Mixin before `QuantizedLayer` and a Keras cell, whose time step it restates on `fixed`.

    In any `keras.layers.RNN`, stacked or not, weights are quantized once per call of the RNN: Keras
    asks a cell for its dropout masks before the loop over time and has it drop them after the loop,
    and that is when the cell makes and drops `fixed`. A cell that is called by itself makes one
    step of a call. `QuantLSTM` and its like fix the tensors of their cell themselves.

    Nothing of a call is kept in the cell: what an RNN fixes belongs to the outermost call that is
    under way in the thread, and is gone with it, also when that ends in an exception. Only the
    count of time steps, of which random bits are a function, is a variable that every call sets to
    0: two threads that run one stochastic RNN at the same time would share it.

    A subclass names its states and has a `_step(fixed, x, states, time, training)`, the new states.
    """

    state_names: tuple[str, ...] = ("hidden_state",)
    time: tf.Variable | None = None  # the time step, where random bits depend on it
    # Those of the cell inside a `QuantLSTM`, which Keras makes and the layer lends its quantizers.
    quantizers, rounding_counter, clock = {}, None, None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.keep_time_for(self, ("gates", "state", "activations", "errors"))

    def call(self, inputs, states, training=False):
        fixed = self.lent or self._fixed_by_call().get(self)
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

    def get_dropout_mask(self, step_input):
        if self.is_quantizing:
            self.drop_masks()
            # Whether it trains the RNN does not say; so the counter moves on after the loop.
            fixed = self.fix(self, self._start_call(training=False))
            fixed.first_input = step_input
            self._fixed_by_call()[self] = fixed
            if self.time is not None:
                outermost = call_record(self).entry_layer
                self.set_time(0 if outermost is self else time_within(outermost, self))
        return super().get_dropout_mask(step_input)

    def reset_dropout_mask(self):
        super().reset_dropout_mask()
        if self.is_quantizing:
            fixed = self._fixed_by_call().pop(self, None)
            if fixed is not None and fixed.trains:
                self._start_call(training=True, inputs=fixed.first_input)

    @contextlib.contextmanager
    def lending(self, source, counter):
        """Inside, in this thread alone, the cell works on tensors quantized as `source` says."""
        fixed = self.fix(source, counter)
        token = _lent.set({**_lent.get(), self: fixed})
        self.set_time(0)
        try:
            yield fixed
        finally:
            _lent.reset(token)

    def _fixed_by_call(self):
        """What cells have fixed for the call under way; empty where the cell is called by itself.

        Kept in Keras' own record of the outermost call, which ends with it.
        """
        record = call_record(self)
        if record.entry_layer is self:  # no call of an RNN: Keras may just have opened the record
            close_call_record(self)
            return {}
        return vars(record).setdefault("fixed_by_quantized_cells", {})

    @property
    def lent(self):
        """What the layer that is called, a `QuantLSTM` say, has fixed for its cell, or None."""
        return _lent.get().get(self)

    def drop_masks(self):
        """Keras keeps a call's dropout masks in the cell; an exception may have left them there."""
        super().reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    def keep_time_for(self, source, roles):
        """Lets the cell count time steps if `source` rounds what has these roles stochastically."""
        used = (source.quantizers.get(role) for role in roles)
        if any(quantizer is not None and quantizer.stochastic for quantizer in used):
            with tf.init_scope():
                # No state of the layer: every call sets it anew, in each replica.
                self.time = tf.Variable(
                    tf.zeros([], tf.int64),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )

    def set_time(self, time):
        if self.time is not None:
            self.time.assign(time)

    def fix(self, source, counter):
        """The cell's weights, quantized as `source` says, for the call with this counter."""

        def weight(role, variable):
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

    def _quantized_step(self, fixed, x, states, training):
        time = 0 if self.time is None else tf.convert_to_tensor(self.time.assign_add(1))
        is_nested = keras.tree.is_nested(states)
        new = self._step(fixed, x, states if is_nested else [states], time, training)
        y = new[0]
        if fixed.source is self:
            y = self._output(y, fixed.counter + time)
        return y, new if is_nested else new[0]

    def _masks(self, x, h, training):
        """The dropout masks of x and of h, None where nothing is dropped."""
        x_mask = super().get_dropout_mask(x) if training and self.dropout else None
        if not training or not self.recurrent_dropout:
            return x_mask, None
        return x_mask, self.get_recurrent_dropout_mask(h)


def _graphs(tensors):
    """The graphs that symbolic tensors belong to."""
    return {x.graph for x in keras.tree.flatten(tensors) if hasattr(x, "graph")}


def dropped(x, mask):
    """x under its dropout mask, if it has one."""
    return x if mask is None else x * mask
