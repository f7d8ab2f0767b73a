"""`QuantLayer`: a wrapper that quantizes any layer without a quantized class, such as a user's."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.layers.call_signatures import with_training
from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES, QuantizedLayer
from tq_halp.layers.tied_weights import is_read_in_a_call, quantized


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantLayer(QuantizedLayer, keras.layers.Layer):
    """Any Keras layer, called on quantized weights, with quantized outputs.

        y = Q_activations(layer(x)), where each weight W of the layer and its sublayers is Q(W)

    A weight whose name is "beta" or ends in "bias" gets the quantizer of `bias`, every other weight
    that of `weights`. Variables made with trainable=False are not quantized, frozen weights are.
    Each floating-point output is quantized, also in a nested structure. Assignments to variables,
    losses and masks are as without the wrapper.

    To load a saved model, the class of `layer` must be registered with Keras or be given in
    `custom_objects`.

    Args:
        layer: a `keras.layers.Layer`, built or not. Its `call` must read its variables as Keras
            variables, not their NumPy values.
        weights, bias, activations, gradients, errors: each None, a `Quantizer`, a format or a
            mapping. See `QuantizedLayer` for what each does.
        **kwargs: name, dtype, trainable; default: those of `layer`.

    Raises:
        InputError: `layer` is not a layer, or is a model; or a quantizer is wrong.
    """

    roles = PRODUCT_ROLES

    def __init__(self, layer: keras.Layer, **kwargs: Any) -> None:
        if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
            raise InputError(
                "QuantLayer: layer must be a keras.layers.Layer and not a model (for which use "
                f"QuantizationMap.apply). Received: {layer!r}"
            )
        # Keras' __init__ reads the signature of `call`, which must be that of the layer.
        self.__dict__["call"] = _with_signature(self.call, with_training(_signature(layer)))
        given = {"name": layer.name, "dtype": layer.dtype_policy, "trainable": layer.trainable}
        super().__init__(**{**given, **kwargs})
        self.layer = layer
        self.autocast = layer.autocast
        self.supports_masking = layer.supports_masking
        self.supports_jit = self.supports_jit and layer.supports_jit

    def __getattr__(self, name: str) -> Any:
        """An attribute of the wrapped layer that is a weight W; Q(W) in the call of another layer.

        See `tied_weights`. Python calls this for attributes that the wrapper itself does not have.
        """
        value = None if name.startswith("_") else getattr(vars(self).get("layer"), name, None)
        if not isinstance(value, keras.Variable):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return quantized(self, value, value) if is_read_in_a_call(self) else value

    def build(self, *shapes: Any, **named: Any) -> None:
        """Builds the wrapped layer from the given shapes, if any; else its first call builds it."""
        if (shapes or named) and not self.layer.built:
            self.layer.build(*shapes, **named)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        training = kwargs.get("training")
        if "training" not in _signature(self.layer).parameters:
            kwargs.pop("training", None)
        if not self.layer.built:
            with keras.StatelessScope():  # creates variables without changing any
                self.layer(*args, **kwargs)
        return self._call_quantized(lambda: self.layer(*args, **kwargs), training)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if "training" not in _signature(self.layer).parameters:
            kwargs.pop("training", None)
        return self.layer(*args, **kwargs)  # on symbolic tensors, which also builds it

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer.compute_mask(*args, **kwargs)

    def get_build_config(self) -> None:
        return None  # the wrapped layer has its own

    def get_config(self) -> dict[str, Any]:
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "QuantLayer":
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def _signature(layer: keras.Layer) -> inspect.Signature:
    return inspect.signature(layer.call)


def _with_signature(call: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    @functools.wraps(call)
    def signed(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    vars(signed)["__signature__"] = signature
    return signed
