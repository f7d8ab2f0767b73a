"""`Quantizer`: rounds tensors to a number format, with a straight-through or clipped gradient."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

import quant_ops
from quant_ops.composite import dynamic_scale
from quant_ops.library import as_forced_now
from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.quantizers.convert_to_tensor import tensor
from tq_halp.quantizers.format_options import FormatOptions, options_of


@keras.saving.register_keras_serializable(package="tq_halp")
@dataclasses.dataclass(frozen=True)
class Quantizer:
    """q(x): the number of `format` to which `rounding` and `overflow` take x.

        q(x)     as the op in `quant_ops` that has the format's name
        dq/dx    = 1                             gradient="straight_through"
        dq/dx    = 1 if min <= x <= max else 0   gradient="clipped"  (0 where x is NaN)

    min and max are the format's limits, rounded inwards to x's dtype. Block formats, which scale
    themselves to their data, and `Sparse` have no limits: their gradient is straight through.

    A `ScaledInteger` gets its step, the scale, at run time: the `scale` given to the call or, by
    default ("dynamic range"), max|x| / max(1, 2^(b-1)-1) over the tensor's finite elements. For the
    gradient the scale is a constant. An all-zero tensor has scale 0 and stays 0.

    Args:
        format: a format of `tq_halp.formats`, its name or its mapping.
        rounding: as for `quant_ops.fixed_point`. "stochastic" is a function of (seed, counter,
            element index) alone. `Binary` takes "nearest_up" or "stochastic". `Ternary` and
            `Sparse` take None, since they have thresholds. None: the default of the format,
            "nearest_even" for most.
        overflow: "saturate"; also "wrap" for `FixedPoint` and `ScaledInteger`, and "infinity" for a
            `Minifloat` that has infinity or NaN.
        gradient: "straight_through" or "clipped".
        seed: signed integer of 64 bits, used by stochastic rounding.

    Raises:
        InputError: an argument is unknown, of the wrong type, or not valid for the format.

    References:
        Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons,
        arXiv 1308.3432, section 4 (straight through). Hubara et al., Binarized Neural Networks,
        arXiv 1602.02830, equation 4 (clipped).
    """

    format: formats.Format
    rounding: str | None = None
    overflow: str = "saturate"
    gradient: str = "straight_through"
    seed: int = 0

    if TYPE_CHECKING:  # the constructor accepts more types than the fields hold

        def __init__(
            self,
            format: formats.Format | str | Mapping[str, Any],
            rounding: str | None = None,
            overflow: str = "saturate",
            gradient: str = "straight_through",
            seed: int = 0,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "format", _format(self.format))
        if self.rounding is None and self._options.rounding:
            object.__setattr__(self, "rounding", self._options.rounding[0])
        for name, valid in vars(self._options).items():
            self._check(name, getattr(self, name), valid)
        is_int = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        if not is_int or not -(2**63) <= self.seed < 2**63:
            raise InputError(f"seed must be an integer of 64 bits. Received: {self.seed!r}")

    def __call__(
        self, x: tf.Tensor, counter: tf.Tensor | int = 0, *, scale: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Quantizes a tensor.

        Args:
            x: float16, bfloat16, float32 or float64 tensor of any shape.
            counter: int64 scalar, a tensor or an integer: another value draws other random bits.
            scale: for a `ScaledInteger`, the step to use instead of x's dynamic range.

        Returns:
            A tensor of x's dtype and shape, on the format's grid.

        Raises:
            InputError: x is a masked array, or `scale` is given for a format that fixes its step.
        """
        x = tensor(x)
        if scale is None:
            scale = self.scale(x)
        elif not self.has_dynamic_range:
            raise InputError(f"scale must be None for {self.format}. Received: {scale!r}")
        if self.gradient == "straight_through":
            return self._round(x, counter, scale)

        @tf.custom_gradient
        def clipped(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            gradient = as_forced_now(lambda dy: self.clip_gradient(x, dy, scale))
            return self._round(x, counter, scale), gradient

        return clipped(x)

    def clip_gradient(
        self, x: tf.Tensor, dy: tf.Tensor, scale: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The clipped gradient: dy where min <= x <= max, 0 elsewhere. Shapes and dtypes as x's."""
        inside = self._inside(x, self.scale(x) if scale is None else scale)
        return tf.where(inside, dy, tf.zeros_like(dy))

    def scale(self, x: tf.Tensor) -> tf.Tensor | None:
        """The dynamic-range step of x, a scalar of x's dtype; None if the format fixes the step."""
        if not isinstance(self.format, formats.ScaledInteger):
            return None
        return dynamic_scale(tf.stop_gradient(x), max(1, self.format.max))

    def derive(self, tensor: str) -> "Quantizer":
        """The same quantizer with the tensor's own seed, so that tensors draw independent bits.

        seed' = the first 8 bytes of BLAKE2b("<seed>/<tensor>"), little-endian and signed.
        """
        if not self.stochastic:
            return self
        digest = hashlib.blake2b(f"{self.seed}/{tensor}".encode(), digest_size=8).digest()
        return dataclasses.replace(self, seed=int.from_bytes(digest, "little", signed=True))

    @property
    def stochastic(self) -> bool:
        """Whether rounding is stochastic."""
        return self.rounding == "stochastic"

    @property
    def has_dynamic_range(self) -> bool:
        """Whether the step depends on the tensor, as that of a `ScaledInteger`."""
        return isinstance(self.format, formats.ScaledInteger)

    def get_config(self) -> dict[str, Any]:
        """The mapping, as in YAML: the keys of the format beside rounding, overflow, ..."""
        return {**self.format.to_dict(), **{key: getattr(self, key) for key in _OWN_KEYS}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Quantizer":
        """The inverse of `get_config`; keys that have a default may be left out.

        Raises:
            InputError: config is not a mapping, or a wrong one.
        """
        if not isinstance(config, Mapping):
            raise InputError(
                "a quantizer's configuration must be a mapping such as {format: fixed_point, "
                f"word_bits: 8, frac_bits: 6}}. Received: {config!r}"
            )
        own = {key: config[key] for key in _OWN_KEYS if key in config}
        rest = {key: value for key, value in config.items() if key not in own}
        return cls(formats.get(rest, beside=_OWN_KEYS), **own)

    def __str__(self) -> str:
        shown = [self.format, self.rounding]
        shown += [
            getattr(self, key)
            for key in ("overflow", "gradient")
            if getattr(self, key) != getattr(self._options, key)[0]
        ]
        return " ".join(str(part) for part in shown if part is not None)

    @property
    def _options(self) -> FormatOptions:
        return options_of(self.format)

    def _check(self, name: str, received: Any, valid: Sequence[str]) -> None:
        if not valid and received is not None:
            raise InputError(f"{name} must be None for {self.format}. Received: {received!r}")
        if valid and received not in valid:
            raise formats.unknown(f"{name} for {self.format}", received, valid)

    def _round(self, x: tf.Tensor, counter: tf.Tensor | int, scale: tf.Tensor | None) -> tf.Tensor:
        """Calls the format's op with the format's fields and the quantizer's arguments."""
        arguments = dict(vars(self.format))
        if self._options.rounding:
            arguments |= {"rounding": self.rounding, "seed": self.seed, "counter": counter}
        if len(self._options.overflow) > 1:
            arguments["overflow"] = self.overflow
        if self.has_dynamic_range:
            arguments["scale"] = scale
        return getattr(quant_ops, self.format.name)(x, **arguments)

    def _inside(self, x: tf.Tensor, scale: tf.Tensor | None) -> tf.Tensor:
        """min <= x <= max, elementwise."""
        # The limits come from the op, which rounds them inwards to x's dtype.
        saturating = dataclasses.replace(self, overflow="saturate")
        infinities = tf.constant([float("-inf"), float("inf")], x.dtype)
        low, high = tf.unstack(saturating._round(infinities, 0, scale))
        return (x >= low) & (x <= high)


_OWN_KEYS = ("rounding", "overflow", "gradient", "seed")


def _format(given: Any) -> formats.Format:
    if isinstance(given, Mapping) and (own := [key for key in _OWN_KEYS if key in given]):
        raise InputError(
            f"format must be a format alone. Received: {own[0]} in it: {given!r}; "
            "Quantizer.from_config takes both in one mapping"
        )
    return formats.get(given)
