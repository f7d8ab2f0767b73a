"""Quantizers: a number format plus how to get onto its grid and what the gradient does there.

A quantizer is a frozen value object, callable on tensors and Keras-serialisable. Its mapping is
flat, the format's keys beside its own, exactly what YAML holds::

    {format: fixed_point, word_bits: 8, frac_bits: 6, rounding: stochastic, gradient: clipped}
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

import quant_ops
from quant_ops.arguments import OVERFLOWS, ROUNDINGS
from tq_halp import formats
from tq_halp.errors import InputError

GRADIENTS = ("straight_through", "clipped")


@keras.saving.register_keras_serializable(package="tq_halp")
@dataclasses.dataclass(frozen=True)
class Quantizer:
    """q(x): the number of `format` that `rounding` and `overflow` choose for x.

        q(x)     = step * overflow(round(x / step))
        dq/dx    = 1                             gradient="straight_through"
        dq/dx    = 1 if min <= x <= max else 0   gradient="clipped"  (0 where x is NaN)

    step, min and max are the format's. A `ScaledInteger` gets its step, the scale, at run time:
    max|x| / max(1, 2^(b-1)-1) over the tensor's finite elements ("dynamic range"), a constant for
    the gradient, or the `scale` given to the call. An all-zero tensor has scale 0 and stays 0.

    Args:
        format: a format of `tq_halp.formats` or its mapping.
        rounding: one of `ROUNDINGS`. "stochastic" draws from (seed, counter, element index) alone.
        overflow: one of `OVERFLOWS`.
        gradient: one of `GRADIENTS`.
        seed: integer of 64 bits, used by stochastic rounding.

    Raises:
        InputError: an argument is unknown or of the wrong type.

    References:
        Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons,
        arXiv 1308.3432, section 4 (straight through). Hubara et al., Binarized Neural Networks,
        arXiv 1602.02830, equation 4 (clipped).
    """

    format: formats.Format
    rounding: str = "nearest_even"
    overflow: str = "saturate"
    gradient: str = "straight_through"
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "format", formats.get(self.format))
        _check_choice("rounding", self.rounding, ROUNDINGS)
        _check_choice("overflow", self.overflow, OVERFLOWS)
        _check_choice("gradient", self.gradient, GRADIENTS)
        is_int = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        if not is_int or not -(2**63) <= self.seed < 2**63:
            raise InputError(f"seed must be an integer of 64 bits, received {self.seed!r}")

    def __call__(self, x, counter=0, *, scale=None):
        """Quantizes a tensor.

        Args:
            x: float16, bfloat16, float32 or float64 tensor of any shape.
            counter: int64 scalar (a tensor or an integer): another value, other random bits.
            scale: for a `ScaledInteger`, the step to use instead of x's dynamic range.

        Returns:
            A tensor of x's dtype and shape, on the format's grid.
        """
        x = tf.convert_to_tensor(x)
        if scale is None:
            scale = self.scale(x)
        if self.gradient == "straight_through":
            return self._round(x, counter, scale)

        @tf.custom_gradient
        def clipped(x):
            def gradient(dy):
                return tf.where(self._inside(x, scale), dy, tf.zeros_like(dy))

            return self._round(x, counter, scale), gradient

        return clipped(x)

    def scale(self, x):
        """The dynamic-range step of x, a scalar of its dtype; None where the format fixes it."""
        if not self.has_dynamic_range:
            return None
        # Of the finite elements, so that an infinity saturates and a NaN stays the only NaN; and
        # at least 0, since the maximum of an empty tensor is -inf.
        size = tf.where(tf.math.is_finite(x), tf.abs(x), tf.zeros_like(x))
        largest = tf.maximum(tf.reduce_max(size), tf.zeros([], x.dtype))
        return tf.stop_gradient(largest / max(1, self.format.max))

    def derive(self, tensor: str) -> "Quantizer":
        """The same quantizer with a seed of its own for the tensor of that name.

        seed' = the first 8 bytes of BLAKE2b("<seed>/<tensor>"), little-endian and signed: a rule
        that names one quantizer for many tensors rounds each with independent bits.
        """
        if not self.stochastic:
            return self
        digest = hashlib.blake2b(f"{self.seed}/{tensor}".encode(), digest_size=8).digest()
        return dataclasses.replace(self, seed=int.from_bytes(digest, "little", signed=True))

    @property
    def stochastic(self) -> bool:
        return self.rounding == "stochastic"

    @property
    def has_dynamic_range(self) -> bool:
        """Whether the step depends on the tensor."""
        return isinstance(self.format, formats.ScaledInteger)

    def get_config(self) -> dict[str, Any]:
        """The flat mapping that YAML holds."""
        return {**self.format.to_dict(), **{key: getattr(self, key) for key in _OWN_KEYS}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Quantizer":
        """The inverse of `get_config`; keys that have a default may be left out."""
        own = {key: config[key] for key in _OWN_KEYS if key in config}
        rest = {key: value for key, value in config.items() if key not in own}
        if "format" in rest:
            family = formats.FAMILIES[formats.family_name(rest["format"])]
            valid = ["format", *(field.name for field in dataclasses.fields(family)), *_OWN_KEYS]
            for key in rest:
                if key not in valid:
                    raise formats.unknown(f"key of a {family.name} quantizer", key, valid)
        return cls(formats.get(rest), **own)

    def __str__(self):
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        chosen = [
            str(getattr(self, key))
            for key in ("overflow", "gradient")
            if getattr(self, key) != defaults[key]
        ]
        return " ".join([str(self.format), self.rounding, *chosen])

    def _round(self, x, counter, scale):
        format = self.format
        how = dict(rounding=self.rounding, overflow=self.overflow, seed=self.seed, counter=counter)
        if self.has_dynamic_range:
            return quant_ops.scaled_integer(x, scale, format.word_bits, **how)
        return quant_ops.fixed_point(
            x, format.word_bits, format.frac_bits, signed=format.signed, **how
        )

    def _inside(self, x, scale):
        # In float32 at least: half precision would round the limits, and with them the answer.
        wide = x if x.dtype.size >= 4 else tf.cast(x, tf.float32)
        step = 1.0 if scale is None else tf.cast(scale, wide.dtype)
        return (wide >= self.format.min * step) & (wide <= self.format.max * step)


def get(identifier) -> Quantizer | None:
    """A quantizer from None, a mapping, a format or a quantizer.

    Raises:
        InputError: anything else, or a mapping that is wrong; says what would be right.
    """
    if identifier is None or isinstance(identifier, Quantizer):
        return identifier
    if isinstance(identifier, Mapping):
        # Keras may have wrapped the mapping the way it serialises registered objects.
        if identifier.get("class_name") == "Quantizer":
            identifier = identifier["config"]
        return Quantizer.from_config(identifier)
    if isinstance(identifier, (str, *formats.FAMILIES.values())):
        return Quantizer(identifier)
    raise InputError(
        "a quantizer must be None, a Quantizer, a format or a mapping such as "
        "{format: fixed_point, word_bits: 8, frac_bits: 6, rounding: stochastic}, "
        f"received {identifier!r}"
    )


def quantize_gradient(x, quantizer: Quantizer | None, counter=0):
    """x itself, forward; backward, the upstream gradient dy becomes q(dy).

        y = x,   dL/dx = q(dL/dy)

    Args:
        x: float tensor of any shape.
        quantizer: q, or None for the plain identity.
        counter: int64 scalar, handed on to q.
    """
    x = tf.convert_to_tensor(x)
    if quantizer is None:
        return x

    @tf.custom_gradient
    def identity(x):
        return tf.identity(x), lambda dy: quantizer(dy, counter)

    return identity(x)


_OWN_KEYS = ("rounding", "overflow", "gradient", "seed")


def _check_choice(name: str, received, valid) -> None:
    if received not in valid:
        raise formats.unknown(name, received, valid)
