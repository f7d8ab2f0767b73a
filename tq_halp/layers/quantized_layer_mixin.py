"""`QuantizedLayer`, the base of all quantized layers: quantizers, random bits, configuration."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import quant_ops
from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.keras_internals.call_context import mask_of, set_mask
from tq_halp.keras_internals.layers import lock, unlock
from tq_halp.layers.call_signatures import (
    OfClass,
    extended_signature,
    keras_parent,
    substituting_call,
)
from tq_halp.layers.lora import Update, updates_of
from tq_halp.layers.portable_graph_ops import portable
from tq_halp.layers.sublayers import making_parts
from tq_halp.layers.tensor_observers import tell
from tq_halp.layers.tied_weights import ReadInCalls, read_properties
from tq_halp.layers.variable_substitution import call_with, names_of, value_of, weights_of
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock
from tq_halp.states_keras_omits import SavesStates

# The roles: kinds of tensors that layers can quantize.
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


# The roles of layers that multiply by weights and add a bias.
PRODUCT_ROLES = ("weights", "bias", "activations", "gradients", "errors")

#: The quantizer of each role; None: the tensor is not quantized.
Quantizers = dict[str, quantizers.AnyQuantizer | None]


class QuantizedLayer(ReadInCalls, SavesStates):
    """Mixin before a Keras layer class. Adds to its signature one argument, a quantizer, per role.

    W is a weight, Q_r the quantizer of role r (None: the identity), y the Keras layer's output with
    quantized weights, and dy = dL/dy:

        weights, bias, recurrent_weights   every call uses Q(W), computed from the float master W
        activations                        the output is Q(y), after the activation function
        errors                             the gradient that enters the layer is Q(dy)
        gradients                          the optimizer receives Q(dL/dW), for every weight
        accumulator                        a product's running sum: see `AccumulatedProduct`

    A weight with a LoRA update is quantized together with it: see `lora`. Weights are quantized in
    the compute dtype. Without quantizers the layer equals its Keras parent bit for bit.

    A subclass sets `roles`. Its call is that of the Keras layer, in which each variable has the
    value Q(W). `role_of` maps a weight to its role; statistics such as BatchNormalization's have
    none. A subclass that quantizes tensors inside the call defines its own `call`, from
    `_start_call`, `_weight` and `_output`, with an argument `training`.

    Stochastic rounding: the bits are a function of the quantizer's seed, the tensor's name
    "<layer name>/<tensor>" (`Quantizer.derive`), the element's index, and the counter n * 2^32 + t.
    n is the layer's `rounding_counter`, an int64. A training call increments it. Inference does
    not, so predictions repeat. t is the time step, 0 for tensors that are quantized once a call.
    Two training calls from the same n, in two `keras.StatelessScope`s, draw the same bits. <tensor>
    is the name of a variable (`variable_substitution.names_of`) or "output", and "output/<k>" for
    the k-th of several outputs.
    """

    roles: tuple[str, ...] = ()
    quantizers: Quantizers
    rounding_counter: CallCounter | None
    clock: TrainingClock | None

    @staticmethod
    def quantizer_source() -> "QuantizedLayer | None":
        """The layer whose quantizers this one uses, being a part of it such as a cell; or None."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        initializer = inspect.signature(cls.__init__).parameters.values()
        # An __init__ that names its parameters already has the right signature.
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
        unlock(self)  # some Keras layers are built by their __init__
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
            lock(self)

    def get_config(self) -> dict[str, Any]:
        given = {role: q.get_config() for role, q in self.quantizers.items() if q is not None}
        return {**super().get_config(), **given}

    @classmethod
    def choose(cls, given: Mapping[str, Any]) -> Quantizers:
        """The quantizers of a layer, by role.

        Args:
            given: by role: None, "none", a `Quantizer`, a format or a mapping.

        Raises:
            InputError: one is something else, or wrong.
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
        """The role of one of the layer's weights."""
        return "bias" if variable.name == "beta" or variable.name.endswith("bias") else "weights"

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """The call under a dtype policy of Keras' own quantization, such as "int8_from_float32"."""
        if self.is_quantizing:
            raise InputError(
                f"{self.name}: dtype must be a floating-point policy such as mixed_bfloat16 where "
                f"tensors have quantizers. Received: {self.dtype_policy.name}"
            )
        return super().quantized_call(*args, **kwargs)

    def compute_output_spec(self, *args: Any, training: Any = None, **kwargs: Any) -> Any:
        """As in Keras, also for layers whose `call` has no `training`."""
        return super().compute_output_spec(*args, **kwargs)

    @property
    def is_quantizing(self) -> bool:
        """Whether any role has a quantizer."""
        return any(quantizer is not None for quantizer in self.quantizers.values())

    def _call_quantized(self, keras_call: Callable[[], Any], training: bool | None) -> Any:
        """Quantized outputs of `keras_call()` on quantized weights."""
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
        """The counter for this call's stochastic rounding, an int64 scalar.

        A training call increments it, after the `inputs` are computed, unless `advances` is False.
        """
        if self.clock and training:
            self.clock.check_driven()
        if not self.rounding_counter:
            return 0
        return self.rounding_counter.start_call(training and advances, after=inputs)

    def _substitutes(
        self, weights: Sequence[keras.Variable], counter: tf.Tensor | int
    ) -> list[tuple[keras.Variable, tf.Tensor]]:
        """(variable, Q(variable)) for each weight with a quantizer, for itself or its gradient."""
        names = dict(zip(map(id, weights), names_of(weights), strict=True))
        updates = {id(update.weight): update for update in updates_of(self)}
        factors = {id(v) for update in updates.values() for v in (update.a, update.b)}
        substitutes = []
        for variable in weights:
            if not self.changes(self.role_of(variable)):
                continue
            if id(variable) in factors:  # their product is part of the weight
                value = keras.ops.zeros_like(value_of(variable))
            elif id(variable) in updates:
                value = self.merged(updates[id(variable)], names, counter)
            else:
                value = self._weight(self.role_of(variable), names[id(variable)], variable, counter)
            substitutes.append((variable, value))
        return substitutes

    def changes(self, role: str) -> bool:
        """Whether weights of that role have a quantizer, for themselves or their gradients."""
        return any(self.quantizers.get(each) is not None for each in (role, "gradients"))

    def merged(
        self, update: Update, names: Mapping[int, str], counter: tf.Tensor | int
    ) -> tf.Tensor:
        """Q(W + s A B); backward, A and B receive quantized gradients."""
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
        """Q(W); backward, W receives Q_gradients(dW)."""
        weight = keras.ops.convert_to_tensor(weight)
        weight = self._quantize_gradient("gradients", f"{name}/gradient", weight, counter)
        return self._quantize(role, name, weight, counter)

    def _outputs(self, outputs: Any, counter: tf.Tensor | int) -> Any:
        """`_output` of every floating-point tensor in a nested structure."""
        leaves = keras.tree.flatten(outputs)
        names = ["output"] if len(leaves) == 1 else [f"output/{k}" for k in range(len(leaves))]
        quantized = [
            self._output(y, counter, name) if tf.is_tensor(y) and y.dtype.is_floating else y
            for y, name in zip(leaves, names, strict=True)
        ]
        return keras.tree.pack_sequence_as(outputs, quantized)

    def _output(self, y: tf.Tensor, counter: tf.Tensor | int, name: str = "output") -> tf.Tensor:
        """Q(y); backward, the incoming gradient becomes Q_errors(dy)."""
        quantized = self._quantize("activations", name, y, counter)
        quantized = self._quantize_gradient("errors", f"{name}/error", quantized, counter)
        mask = mask_of(y)
        if mask is not None and quantized is not y:
            set_mask(quantized, mask)
        return quantized

    def _quantize(
        self, role: str, name: str, x: tf.Tensor, counter: tf.Tensor | int, **kwargs: Any
    ) -> tf.Tensor:
        """Q(x), reported to the observer. Every quantization passes through this method."""
        quantizer = self.quantizers.get(role)
        if quantizer is None:
            return x
        if isinstance(x, tf.RaggedTensor):  # its values, row after row
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
