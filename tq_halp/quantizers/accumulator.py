"""Low-precision accumulators: matrix products whose running sum is rounded every few terms."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

import quant_ops
from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.quantizers.convert_to_tensor import tensor
from tq_halp.quantizers.quantizer import Quantizer

FORMATS = (formats.FixedPoint, formats.Minifloat)
EXAMPLE = "{every: 8, format: fixed_point, word_bits: 16, frac_bits: 8, rounding: nearest_even}"


@keras.saving.register_keras_serializable(package="tq_halp")
@dataclasses.dataclass(frozen=True)
class Accumulator:
    """Multiplies matrices with a running sum that is rounded every `every` terms.

        s_0 = 0,   s_(j+1) = q(s_j + the next `every` products),   a b = the last s

    `quant_ops.matmul_rounded` says in which order and precision terms are added. The gradient is
    that of the plain product.

    Written as a mapping, `every` stands beside the keys of the quantizer::

        {every: 8, format: fixed_point, word_bits: 16, frac_bits: 8, rounding: nearest_even}

    Args:
        quantizer: q, or what `tq_halp.quantizers.get` takes. Its format must be a `FixedPoint` or
            a `Minifloat`, its gradient "straight_through".
        every: terms between two roundings, at least 1.

    Raises:
        InputError: an argument is of the wrong type or out of range, or the format cannot be that
            of an accumulator.
    """

    quantizer: Quantizer
    every: int = 1

    if TYPE_CHECKING:  # the constructor accepts more types than the fields hold

        def __init__(
            self,
            quantizer: Quantizer | formats.Format | str | Mapping[str, Any],
            every: int = 1,
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.quantizer, Quantizer):
            object.__setattr__(self, "quantizer", _quantizer(self.quantizer))
        if not isinstance(self.format, FORMATS):
            raise InputError(
                "format of an accumulator must be fixed_point, minifloat or the name of one. "
                f"Received: {self.format}"
            )
        if self.quantizer.gradient != "straight_through":
            raise InputError(
                "gradient of an accumulator must be straight_through. Received: "
                f"{self.quantizer.gradient!r}"
            )
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise InputError(f"every must be an integer of at least 1. Received: {self.every!r}")

    def __call__(self, a: tf.Tensor, b: tf.Tensor, counter: tf.Tensor | int = 0) -> tf.Tensor:
        """The matrix product of a, [..., M, K], and b, [K, N] or [..., K, N].

        Args:
            a, b: float16, bfloat16 or float32 tensors of one dtype.
            counter: int64 scalar: another value draws other random bits.

        Returns:
            A tensor [..., M, N] of that dtype, on the format's grid.

        Raises:
            InputError: the dtype is float64.
        """
        a, b = tensor(a), tensor(b)
        if a.dtype == tf.float64:
            raise InputError(
                "the dtype of a product with an accumulator must be float32, bfloat16 or float16. "
                "Received: float64, whose products fit no wider dtype"
            )
        return quant_ops.matmul_rounded(
            a,
            b,
            self.format.name,
            every=self.every,
            **vars(self.format),
            rounding=self.quantizer.rounding,
            overflow=self.quantizer.overflow,
            seed=self.quantizer.seed,
            counter=counter,
        )

    def derive(self, tensor: str) -> "Accumulator":
        """As `Quantizer.derive`."""
        return dataclasses.replace(self, quantizer=self.quantizer.derive(tensor))

    @property
    def format(self) -> formats.Format:
        """The format of the sum."""
        return self.quantizer.format

    @property
    def stochastic(self) -> bool:
        """Whether rounding is stochastic."""
        return self.quantizer.stochastic

    def get_config(self) -> dict[str, Any]:
        """The flat mapping that YAML holds."""
        return {"every": self.every, **self.quantizer.get_config()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Accumulator":
        """The inverse of `get_config`; `every` may be left out."""
        rest = {key: value for key, value in config.items() if key != "every"}
        return cls(Quantizer.from_config(rest), config.get("every", 1))

    def __str__(self) -> str:
        return f"{self.quantizer} every {self.every}"


def get_accumulator(identifier: Any) -> Accumulator | None:
    """An accumulator from None, a mapping, an accumulator, or a format or its name (every = 1).

    Raises:
        InputError: the identifier is something else, or a wrong mapping.
    """
    if identifier is None or isinstance(identifier, Accumulator):
        return identifier
    if isinstance(identifier, Mapping):
        if identifier.get("class_name") == "Accumulator":
            identifier = identifier["config"]
        if "stages" in identifier:
            raise InputError(f"an accumulator takes no schedule; write, for example, {EXAMPLE}")
        return Accumulator.from_config(identifier)
    return Accumulator(identifier)


def _quantizer(identifier: Any) -> Quantizer:
    if isinstance(identifier, Mapping):
        return Quantizer.from_config(identifier)
    if isinstance(identifier, (str, formats.Format)):
        return Quantizer(identifier)
    raise InputError(
        "an accumulator must be None, an Accumulator, a quantizer or a mapping such as "
        f"{EXAMPLE}. Received: {identifier!r}"
    )
