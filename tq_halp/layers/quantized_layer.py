"""What every quantized layer shares: its quantizers, their random bits, and its configuration."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import quant_ops
from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.layers.lora import Update, updates_of
from tq_halp.layers.observers import tell
from tq_halp.layers.saved_graph_ops import portable
from tq_halp.layers.signatures import (
    OfClass,
    extended_signature,
    keras_parent,
    substituting_call,
)
from tq_halp.layers.sublayers import making_parts
from tq_halp.layers.tied_weights import ReadInCalls, read_properties
from tq_halp.layers.variable_substitution import call_with, names_of, value_of, weights_of
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock
from tq_halp.unsaved_states import SavesStates

# Every tensor that some layer can quantize.
ROLES = (
    "weights",
    "recurrent_weights",
    "bias",
    "activations",
    "state",
    "gates",
    "gradients",
    "errors",
    "accumulator",
)


# Those of layers that multiply with weights and add a bias.
PRODUCT_ROLES = ("weights", "bias", "activations", "gradients", "errors")

#: The quantizer of each role; None: the tensor is not quantized.
Quantizers = dict[str, quantizers.AnyQuantizer | None]


class QuantizedLayer(ReadInCalls, SavesStates):
    """Mixin that goes before a Keras layer class: its signature plus one argument per role.

    With W a weight, Q_r the quantizer given for role r (None: the identity), y the Keras layer's
    output for the quantized weights and dy = dL/dy:

        weights, bias, recurrent_weights   forward uses Q(W), on every call, from the float master W
        activations                        the output is Q(y), y taken after the activation function
        errors                             what flows back into the layer is Q(dy)
        gradients                          what the optimizer sees is Q(dL/dW), for every weight
        accumulator                        a product's running sum: see `AccumulatedProduct`

    A weight with a LoRA update is quantized together with it: see `lora`.
    Weights are quantized in the compute dtype. Without quantizers the layer equals its Keras
    parent bit for bit.

    A subclass sets `roles`. Its call is the Keras layer's own, in which each variable has the value
    Q(W); `role_of` says to which role a weight belongs, and statistics such as BatchNormalization's
    have none. Where a tensor inside the call must be
    reached, the subclass has a `call` of its own, made of `_start_call`, `_weight` and `_output`,
    and takes `training`.

    Stochastic rounding: the bits are a function of the quantizer's seed, "<layer name>/<tensor>"
    (`Quantizer.derive`), the element's index, and the counter n * 2^32 + t. n is the layer's
    `rounding_counter`, an int64 that a training call advances by one and inference leaves
    alone, so that predictions repeat; t is the time step, 0 for all that is quantized once a call.
    Two training calls from the same n, in two `keras.StatelessScope`s, see the same bits. A tensor
    has the name of its variable (`substitution.names_of`), the output is "output", the k-th of
    several "output/<k>".
    """

    roles: tuple[str, ...] = ()
    quantizers: Quantizers
    rounding_counter: CallCounter | None
    clock: TrainingClock | None

    @staticmethod
    def lender() -> "QuantizedLayer | None":
        """The layer by whose quantizers this one goes, a part of it such as an RNN's cell."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        initializer = inspect.signature(cls.__init__).parameters.values()
        # An __init__ of its own that names its parameters already says what help() should show.
        if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in initializer):
            setattr(cls, "__signature__", OfClass(extended_signature(cls, QuantizedLayer)))  # noqa: B010
        keras_class: Any = keras_parent(cls, QuantizedLayer)
        keras_call = keras_class.call
        if cls.call is keras_call:
            cls.call = substituting_call(keras_call)
        for name, read in read_properties(keras_class).items():
            setattr(cls, name, read)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        chosen = self.choose({role: kwargs.pop(role, None) for role in self.roles})
        with making_parts():
            super().__init__(*args, **kwargs)
        self._tracker.unlock()  # some Keras layers are built when their __init__ ends
        self.clock = None
        if any(isinstance(each, quantizers.ScheduledQuantizer) for each in chosen.values()):
            self.clock = TrainingClock(name=f"{self.name}_clock")
            chosen = {role: self.clock.bind(quantizer) for role, quantizer in chosen.items()}
        self.quantizers = chosen
        used = [quantizer for quantizer in chosen.values() if quantizer is not None]
        if used and quant_ops.backend() == "native":
            self.supports_jit = False  # the native ops have no XLA kernel
        self.rounding_counter = None
        if any(quantizer.stochastic for quantizer in used):
            self.rounding_counter = CallCounter(name=f"{self.name}_rounding_counter")
        if self.built:
            self._lock_state()

    def get_config(self) -> dict[str, Any]:
        given = {role: q.get_config() for role, q in self.quantizers.items() if q is not None}
        return {**super().get_config(), **given}

    @classmethod
    def choose(cls, given: Mapping[str, Any]) -> Quantizers:
        """The quantizers of a layer: {role: Quantizer | None} from {role: what the user gave}.

        What was given is None (nothing), "none", a `Quantizer`, a format or a mapping.

        Raises:
            InputError: it is anything else or wrong in itself.
        """
        chosen = {}
        for role, identifier in given.items():
            is_none = isinstance(identifier, str) and identifier == "none"
            try:
                chosen[role] = None if is_none else quantizers.for_role(role, identifier)
            except InputError as error:
                raise InputError(f"{cls.__name__}: {role}: {error}") from error
        return chosen

    @classmethod
    def role_of(cls, variable: keras.Variable) -> str:
        """The role whose quantizer one of the layer's weights gets."""
        return "bias" if variable.name == "beta" or variable.name.endswith("bias") else "weights"

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """What Keras calls instead of `call` under a dtype such as "int8_from_float32"."""
        if self.is_quantizing:
            raise InputError(
                f"{self.name}: dtype must be a floating-point policy such as mixed_bfloat16 where "
                f"tensors have quantizers. Received: {self.dtype_policy.name}"
            )
        return super().quantized_call(*args, **kwargs)

    def compute_output_spec(self, *args: Any, training: Any = None, **kwargs: Any) -> Any:
        """Keras' own, for the layers too that know nothing of `training`."""
        return super().compute_output_spec(*args, **kwargs)

    @property
    def is_quantizing(self) -> bool:
        """Whether any tensor has a quantizer."""
        return any(quantizer is not None for quantizer in self.quantizers.values())

    def _call_quantized(self, keras_call: Callable[[], Any], training: bool | None) -> Any:
        """The outputs of `keras_call()`, on quantized weights, quantized."""
        if not self.is_quantizing:
            return keras_call()
        counter = self._start_call(training, advances=False)
        outputs = call_with(self, self._substitutes(weights_of(self), counter), keras_call)
        if training and self.rounding_counter:
            self.rounding_counter.advance(after=outputs)
        return self._outputs(outputs, counter)

    def _start_call(
        self, training: bool | None, inputs: Any = (), advances: bool = True
    ) -> tf.Tensor | int:
        """The counter for this call's stochastic rounding.

        A training call advances it, once there are the `inputs`, unless `advances` is False.
        """
        if self.clock and training:
            self.clock.check_driven()
        if not self.rounding_counter:
            return 0
        return self.rounding_counter.start_call(training and advances, after=inputs)

    def _substitutes(
        self, weights: Sequence[keras.Variable], counter: tf.Tensor | int
    ) -> list[tuple[keras.Variable, tf.Tensor]]:
        """(variable, Q(variable)) for each that has a quantizer, for itself or its gradient."""
        names = dict(zip(map(id, weights), names_of(weights), strict=True))
        updates = {id(update.weight): update for update in updates_of(self)}
        factors = {id(v) for update in updates.values() for v in (update.a, update.b)}
        substitutes = []
        for variable in weights:
            if not self.changes(self.role_of(variable)):
                continue
            if id(variable) in factors:  # their product is in the weight already
                value = keras.ops.zeros_like(value_of(variable))
            elif id(variable) in updates:
                value = self.merged(updates[id(variable)], names, counter)
            else:
                value = self._weight(self.role_of(variable), names[id(variable)], variable, counter)
            substitutes.append((variable, value))
        return substitutes

    def changes(self, role: str) -> bool:
        """Whether a weight with that role has a quantizer, for itself or its gradient."""
        return any(self.quantizers.get(each) is not None for each in (role, "gradients"))

    def merged(
        self, update: Update, names: Mapping[int, str], counter: tf.Tensor | int
    ) -> tf.Tensor:
        """Q(W + s A B), whose gradient reaches A and B quantized."""
        a, b = (
            self._quantize_gradient(
                "gradients", f"{names[id(factor)]}/gradient", value_of(factor), counter
            )
            for factor in (update.a, update.b)
        )
        role = self.role_of(update.weight)
        return self._quantize(role, names[id(update.weight)], update.merged(a, b), counter)

    def _weight(
        self, role: str, name: str, weight: keras.Variable | tf.Tensor, counter: tf.Tensor | int
    ) -> tf.Tensor:
        """Q(W) whose gradient reaches the master weight quantized as `gradients` says."""
        weight = keras.ops.convert_to_tensor(weight)
        weight = self._quantize_gradient("gradients", f"{name}/gradient", weight, counter)
        return self._quantize(role, name, weight, counter)

    def _outputs(self, outputs: Any, counter: tf.Tensor | int) -> Any:
        """`_output` of each floating-point tensor in a nested structure."""
        leaves = keras.tree.flatten(outputs)
        names = ["output"] if len(leaves) == 1 else [f"output/{k}" for k in range(len(leaves))]
        quantized = [
            self._output(y, counter, name) if tf.is_tensor(y) and y.dtype.is_floating else y
            for y, name in zip(leaves, names, strict=True)
        ]
        return keras.tree.pack_sequence_as(outputs, quantized)

    def _output(self, y: tf.Tensor, counter: tf.Tensor | int, name: str = "output") -> tf.Tensor:
        """Q(y), whose incoming gradient is quantized as `errors` says."""
        quantized = self._quantize("activations", name, y, counter)
        quantized = self._quantize_gradient("errors", f"{name}/error", quantized, counter)
        # Keras keeps a mask as an attribute of the tensor that it belongs to.
        mask = getattr(y, "_keras_mask", None)
        if mask is not None and quantized is not y:
            quantized._keras_mask = mask
        return quantized

    def _quantize(
        self, role: str, name: str, x: tf.Tensor, counter: tf.Tensor | int, **kwargs: Any
    ) -> tf.Tensor:
        """Q(x), told to who is observing: every tensor that is quantized comes by here."""
        quantizer = self.quantizers.get(role)
        if quantizer is None:
            return x
        if isinstance(x, tf.RaggedTensor):  # the numbers that there are, one row after the other
            inner = self._quantize(role, name, x.flat_values, counter, **kwargs)
            return x.with_flat_values(inner)
        with portable():
            quantized = quantizer.derive(f"{self.name}/{name}")(x, counter, **kwargs)
        tell(self, role, name, quantizer, x, quantized)
        return quantized

    def _quantize_gradient(
        self, role: str, name: str, x: tf.Tensor, counter: tf.Tensor | int
    ) -> tf.Tensor:
        if self.quantizers.get(role) is None:
            return x
        if isinstance(x, tf.RaggedTensor):
            inner = self._quantize_gradient(role, name, x.flat_values, counter)
            return x.with_flat_values(inner)
        quantize = functools.partial(self._quantize, role, name)
        return quantizers.quantize_gradient(x, quantize, counter)
