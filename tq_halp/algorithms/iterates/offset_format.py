"""``OffsetFormat``: rounds HALP's offsets to a number format, scaled to their range."""

import tensorflow as tf

import quant_ops
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
        quantizer = self._quantizer
        if isinstance(self.format, formats.ScaledInteger):
            return quant_ops.scaled_integer(
                offset,
                scale,
                self.format.word_bits,
                axis=-1 if scale.shape.rank else None,
                rounding=quantizer.rounding,
                seed=quantizer.seed,
                counter=counter,
            )
        if self.largest is None:
            return quantizer(offset, counter)
        scale = tf.cast(scale, offset.dtype)
        return scale * quantizer(tf.math.divide_no_nan(offset, scale), counter)
