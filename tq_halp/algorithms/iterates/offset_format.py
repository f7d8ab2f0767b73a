"""``OffsetFormat``: rounds HALP's offsets to a number format, scaled to their range."""

from typing import Any

import tensorflow as tf

import quant_ops
from quant_ops.ops import fused_updates
from tq_halp import formats
from tq_halp.quantizers import Quantizer


class OffsetFormat:
    """z ↦ s · Q(z / s): the numbers of a format times s, the largest of them at the edge r.

    For ``ScaledInteger`` s is δ, and the op rounds without a division. A block format scales itself
    to the numbers in a block; it has no range, and s is not used.

    Args:
        quantizer: Q, of any format.
    """

    def __init__(self, quantizer: Quantizer):
        self._quantizer, self.format = quantizer, quantizer.format

    @property
    def largest(self) -> float | None:
        """r / s, the largest number of the format; None for a format that needs no scale."""
        if not (self.format.elementwise and hasattr(self.format, "max")):
            return None
        # A ScaledInteger of one bit has the codes -1 and 0.
        return float(self.format.max) or 1.0

    @property
    def noise_follows_range(self) -> bool:
        """Whether the rounding error is proportional to r; that of floats is to z instead."""
        return not isinstance(self.format, (formats.Minifloat, formats.PowerOfTwo))

    def derive(self, name: str) -> "OffsetFormat":
        """The same format with other random bits, which ``name`` decides."""
        return OffsetFormat(self._quantizer.derive(name))

    def __call__(self, offset: tf.Tensor, scale: tf.Tensor, counter: tf.Tensor | int) -> tf.Tensor:
        """s · Q(z / s); 0 where s = 0.

        Args:
            offset: z, a float tensor.
            scale: s ≥ 0, a scalar, or a vector along the last axis of z.
            counter: an int64 scalar; each value gives other random bits.

        Returns:
            Tensor of the shape and dtype of z.
        """
        if isinstance(self.format, formats.ScaledInteger):
            arguments = self._arguments(scale, counter)
            return quant_ops.scaled_integer(offset, scale, self.format.word_bits, **arguments)
        if self.largest is None:
            return self._quantizer(offset, counter)
        scale = tf.cast(scale, offset.dtype)
        return scale * self._quantizer(tf.math.divide_no_nan(offset, scale), counter)

    def moved(
        self,
        weight: tf.Tensor,
        center: tf.Tensor,
        offset: tf.Tensor,
        scale: tf.Tensor,
        counter: tf.Tensor | int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """z' = s · Q((z + w − (w̃ + z)) / s), and w̃ + z'.

        Args:
            weight, center, offset: w, w̃ and z, of one shape and dtype.
            scale, counter: as above.
        """
        if isinstance(self.format, formats.ScaledInteger):
            bits, arguments = self.format.word_bits, self._arguments(scale, counter)
            return fused_updates.move_offset(weight, center, offset, scale, bits, **arguments)
        offset, _ = unrounded(weight, center, offset)
        offset = self(offset, scale, counter)
        return offset, center + offset

    def _arguments(self, scale: tf.Tensor, counter: tf.Tensor | int) -> dict[str, Any]:
        return {
            "axis": -1 if scale.shape.rank else None,
            "rounding": self._quantizer.rounding,
            "seed": self._quantizer.seed,
            "counter": counter,
        }


def unrounded(
    weight: tf.Tensor, center: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """z' = z + w − (w̃ + z), and w̃ + z'."""
    offset = offset + (weight - (center + offset))
    return offset, center + offset
