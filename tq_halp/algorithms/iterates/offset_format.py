"""The number format of HALP's offsets, stretched over a box."""

import tensorflow as tf

import quant_ops
from tq_halp import formats


class OffsetFormat:
    """z ↦ s · Q(z / s): the format's numbers times a scale s, its largest one at the box's edge.

    For a ``ScaledInteger`` s is δ, and nothing is divided. A block format scales itself to what is
    in the block: it has no box, and s is left out.

    Args:
        quantizer: Q, of any format.
    """

    def __init__(self, quantizer):
        self._quantizer, self.format = quantizer, quantizer.format

    @property
    def largest(self):
        """The largest number at a scale of 1; None for a format that needs no scale."""
        if not (self.format.elementwise and hasattr(self.format, "max")):
            return None
        # One bit has the codes -1 and 0.
        return float(self.format.max) or 1.0

    @property
    def noise_follows_range(self):
        """Whether rounding is the finer the narrower the box; floats round relative to z itself."""
        return not isinstance(self.format, (formats.Minifloat, formats.PowerOfTwo))

    def derive(self, name):
        """The same with random bits of its own."""
        return OffsetFormat(self._quantizer.derive(name))

    def __call__(self, offset, scale, counter):
        """Rounds offsets.

        Args:
            offset: float tensor.
            scale: s ≥ 0, a scalar, or a vector along the offset's last axis; where 0, so is z.
            counter: int64 scalar: another value, other random bits.
        """
        quantizer = self._quantizer
        if quantizer.has_dynamic_range:
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
