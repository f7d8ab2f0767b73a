"""What quantized RNN cells share: tensors that a call of the RNN fixes for all its time steps."""

import contextlib
import dataclasses

import keras
import tensorflow as tf

from tq_halp.layers.base import ROLES, QuantizedLayer

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


@dataclasses.dataclass(frozen=True)
class FixedForCall:
    """What one call of an RNN fixes for all its time steps, computed before the loop."""

    source: QuantizedLayer  # whose quantizers and whose random bits: the RNN layer or the cell
    counter: tf.Tensor | int  # of the call; that of time step t is counter + t
    kernel: tf.Tensor  # Q(W)
    recurrent_kernel: tf.Tensor  # Q(U)
    bias: tf.Tensor | None  # Q(b)

    def gate(self, name, x, time):
        return self.source._quantize("gates", name, x, self.counter + time)

    def state(self, name, x, time):
        return self.source._quantize("state", name, x, self.counter + time)


class QuantizedCell(RecurrentRoles):
    """Mixin before `QuantizedLayer` and a Keras cell, whose time step it restates on `fixed`.

    In any `keras.layers.RNN`, stacked or not, weights are quantized once per call of the RNN: Keras
    asks a cell for its dropout masks before the loop over time and has it drop them after the loop,
    and that is when the cell makes and drops `fixed`. A cell that is called by itself makes one
    step of a call. `QuantLSTM` and its like fix the tensors of their cell themselves.

    A subclass names its states and has a `_step(x, states, time, training)`, the new states.
    """

    state_names: tuple[str, ...] = ("hidden_state",)
    fixed: FixedForCall | None = None
    time: tf.Variable | None = None  # the time step, where random bits depend on it
    # Those of the cell inside a `QuantLSTM`, which Keras makes and the layer lends its quantizers.
    quantizers, rounding_counter, clock = {}, None, None
    _is_training = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.keep_time_for(self, ("gates", "state", "activations", "errors"))

    def call(self, inputs, states, training=False):
        if self.fixed is not None:
            self._is_training = bool(training)
            return self._quantized_step(inputs, states, training)
        if not self.is_quantizing:
            return super().call(inputs, states, training=training)
        with self.fixing(self, self._start_call(training)):
            return self._quantized_step(inputs, states, training)

    def get_dropout_mask(self, step_input):
        if self.is_quantizing:
            # Whether it trains the RNN does not say; so the counter moves on after the loop.
            self.fixed = self._fix(self, self._start_call(training=False))
            self.set_time(0)
        return super().get_dropout_mask(step_input)

    def reset_dropout_mask(self):
        super().reset_dropout_mask()
        if self.is_quantizing:
            self.fixed = None
            if self._is_training:
                self._start_call(training=True)

    @contextlib.contextmanager
    def fixing(self, source, counter):
        """Inside, the cell works on tensors that are quantized as `source` says."""
        self.fixed = self._fix(source, counter)
        self.set_time(0)
        try:
            yield
        finally:
            self.fixed = None

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

    def quantize_states(self, states):
        """Q_state of given states, as at time 0."""
        return [
            self.fixed.state(name, state, 0)
            for name, state in zip(self.state_names, states, strict=True)
        ]

    def _fix(self, source, counter):
        def weight(role, variable):
            value = keras.ops.cast(variable, self.compute_dtype)
            return source._weight(role, variable.name, value, counter)

        return FixedForCall(
            source=source,
            counter=counter,
            kernel=weight("weights", self.kernel),
            recurrent_kernel=weight("recurrent_weights", self.recurrent_kernel),
            bias=weight("bias", self.bias) if self.use_bias else None,
        )

    def _quantized_step(self, x, states, training):
        time = 0 if self.time is None else tf.convert_to_tensor(self.time.assign_add(1))
        is_nested = keras.tree.is_nested(states)
        new = self._step(x, states if is_nested else [states], time, training)
        y = new[0]
        if self.fixed.source is self:
            y = self._output(y, self.fixed.counter + time)
        return y, new if is_nested else new[0]

    def _masks(self, x, h, training):
        """The dropout masks of x and of h, None where nothing is dropped."""
        x_mask = super().get_dropout_mask(x) if training and self.dropout else None
        if not training or not self.recurrent_dropout:
            return x_mask, None
        return x_mask, self.get_recurrent_dropout_mask(h)


def dropped(x, mask):
    """x under its dropout mask, if it has one."""
    return x if mask is None else x * mask
