"""What every quantized layer shares: its quantizers, their random bits, and its configuration."""

import inspect

import keras

import quant_ops
from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.layers.counter import CallCounter

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
)


class QuantizedLayer:
    """Mixin that goes before a Keras layer class: its signature plus one argument per role.

    With W a weight, Q_r the quantizer given for role r (None: the identity), y the Keras layer's
    output for the quantized weights and dy = dL/dy:

        weights, bias, recurrent_weights   forward uses Q(W), on every call, from the float master W
        activations                        the output is Q(y), y taken after the activation function
        errors                             what flows back into the layer is Q(dy)
        gradients                          what the optimizer sees is Q(dL/dW), for every weight

    Weights are quantized in the compute dtype. Without quantizers the layer equals its Keras
    parent bit for bit.

    Stochastic rounding: the bits are a function of the quantizer's seed, "<layer name>/<tensor>"
    (`Quantizer.derive`), the element's index, and the counter n * 2^32 + t. n is the layer's
    `rounding_counter`, an int64 that a training call advances by one and inference leaves
    alone, so that predictions repeat; t is the time step, 0 for all that is quantized once a call.
    Two training calls from the same n, in two `keras.StatelessScope`s, see the same bits.

    Subclasses set `roles` and call `_start_call`, `_weight`, `_output` in their `call`.
    """

    roles: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        initializer = inspect.signature(cls.__init__).parameters.values()
        # An __init__ of its own that names its parameters already says what help() should show.
        if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in initializer):
            cls.__signature__ = _extended_signature(cls)

    def __init__(self, *args, **kwargs):
        chosen = self.choose({role: kwargs.pop(role, None) for role in self.roles})
        super().__init__(*args, **kwargs)
        self.quantizers = chosen
        used = [quantizer for quantizer in chosen.values() if quantizer is not None]
        if used and quant_ops.backend() == "native":
            self.supports_jit = False  # the native ops have no XLA kernel
        self.rounding_counter = None
        if any(quantizer.stochastic for quantizer in used):
            self.rounding_counter = CallCounter(name=f"{self.name}_rounding_counter")

    def get_config(self):
        given = {role: q.get_config() for role, q in self.quantizers.items() if q is not None}
        return {**super().get_config(), **given}

    @classmethod
    def choose(cls, given):
        """The quantizers of a layer: {role: Quantizer | None} from {role: what the user gave}.

        What was given is None (nothing), "none", a `Quantizer`, a format or a mapping.

        Raises:
            InputError: it is anything else or wrong in itself.
        """
        chosen = {}
        for role, identifier in given.items():
            is_none = isinstance(identifier, str) and identifier == "none"
            try:
                chosen[role] = None if is_none else quantizers.get(identifier)
            except InputError as error:
                raise InputError(f"{cls.__name__}: {role}: {error}") from error
        return chosen

    def _start_call(self, training):
        """The counter for this call's stochastic rounding, which a training call advances."""
        return self.rounding_counter.start_call(training) if self.rounding_counter else 0

    def _weight(self, role, name, weight, counter):
        """Q(W) whose gradient reaches the master weight quantized as `gradients` says."""
        weight = keras.ops.convert_to_tensor(weight)
        weight = self._quantize_gradient("gradients", f"{name}/gradient", weight, counter)
        return self._quantize(role, name, weight, counter)

    def _output(self, y, counter):
        """Q(y), whose incoming gradient is quantized as `errors` says."""
        y = self._quantize("activations", "output", y, counter)
        return self._quantize_gradient("errors", "output/error", y, counter)

    def _quantize(self, role, name, x, counter, **kwargs):
        quantizer = self.quantizers.get(role)
        if quantizer is None:
            return x
        return quantizer.derive(f"{self.name}/{name}")(x, counter, **kwargs)

    def _quantize_gradient(self, role, name, x, counter):
        quantizer = self.quantizers.get(role)
        if quantizer is None:
            return x
        return quantizers.quantize_gradient(x, quantizer.derive(f"{self.name}/{name}"), counter)


def _extended_signature(cls):
    """The signature of the Keras class that `cls` extends, plus one keyword argument per role."""
    parent = next(
        base
        for base in cls.__mro__[1:]
        if issubclass(base, keras.Layer) and not issubclass(base, QuantizedLayer)
    )
    signature = inspect.signature(parent)
    own = [
        inspect.Parameter(role, inspect.Parameter.KEYWORD_ONLY, default=None) for role in cls.roles
    ]
    kept = [p for p in signature.parameters.values() if p.name not in cls.roles]
    rest = [p for p in kept if p.kind is inspect.Parameter.VAR_KEYWORD]
    return signature.replace(parameters=[*(p for p in kept if p not in rest), *own, *rest])
