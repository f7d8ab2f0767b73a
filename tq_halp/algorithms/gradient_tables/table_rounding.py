"""How the entries of a gradient table are rounded: differences to the last entry, in few bits."""

from typing import Any

import tensorflow as tf

from quant_ops import format_facts
from tq_halp import formats
from tq_halp.algorithms.minibatch_gradient import Gradient, are_equal, dense
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer

#: More bits than this are not packed.
MOST_PACKED = 16


def checked_format(format: Any, packed: bool) -> int | formats.Format | None:
    """A table's format: a number of bits, a format, or None.

    Raises:
        InputError: it is none of these; or ``packed``, and it is no number of bits up to 16.
    """
    if isinstance(format, formats.ScaledInteger):
        format = format.word_bits
    if isinstance(format, int):
        try:
            format_facts.check_in_range("offset", "word_bits", format)
        except ValueError as error:
            raise InputError(f"format as a number of bits: {error}") from None
        if not packed or format <= MOST_PACKED:
            return int(format)
    if packed:
        raise InputError(
            f"format must be a number of bits up to {MOST_PACKED} for a packed table. "
            f"Received: {format!r}"
        )
    return None if format is None else formats.get(format)


def quantizer(format: int | formats.Format, seed: int) -> Quantizer:
    """Q, which rounds stochastically."""
    chosen = formats.ScaledInteger(format) if isinstance(format, int) else format
    return Quantizer(chosen, rounding="stochastic", seed=seed).derive("gradient table")


def moved(entry: Any, gradient: Any, to_format: Quantizer, counter: tf.Tensor) -> Gradient:
    """T_i + Q(g_i − T_i) for one variable; None if g_i is.

    Args:
        entry, gradient: T_i and g_i, dense, or both by rows; the result has the rows of g_i.
        to_format: Q.
        counter: int64 scalar, for the random bits of Q.
    """
    if gradient is None:
        return None
    if not isinstance(entry, tf.IndexedSlices):
        return entry + to_format(dense(gradient, entry) - entry, counter)
    rows = gradient.indices
    before = tf.cond(
        are_equal(rows, entry.indices),
        lambda: tf.reshape(entry.values, tf.shape(gradient.values)),
        # In the first pass there is no entry yet.
        lambda: tf.gather(dense(entry, tf.TensorSpec(entry.shape, entry.dtype)), rows),
    )
    values = before + to_format(gradient.values - before, counter)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
