"""How the entries of a gradient table move: by differences, which may be rounded to few bits."""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from quant_ops import format_facts
from quant_ops.ops import fused_updates
from tq_halp import formats
from tq_halp.algorithms.minibatch_gradient import (
    Gradient,
    are_equal,
    are_finite,
    corrected,
    dense,
)
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


class EntryStep(NamedTuple):
    """What a step makes of the entry of one variable.

    Args:
        estimate: v = (g_i − a T_i) + a T̄, dense.
        entry: the new T_i; with the rows of g_i, if that has rows.
        is_finite: whether g_i is, a bool scalar.
    """

    estimate: tf.Tensor
    entry: Gradient
    is_finite: tf.Tensor


def entry_step(
    tensors: tuple[Gradient, Gradient, tf.Tensor],
    a: tf.Tensor | None,
    is_corrected: tf.Tensor,
    to_format: Quantizer | None,
    counter: tf.Tensor,
) -> EntryStep:
    """v, and the new T_i = T_i + Q(g_i − T_i).

    Args:
        tensors: g_i, T_i and T̄. g_i and T_i are dense, or both by rows.
        a: the coefficient, a scalar; None for 1.
        is_corrected: whether v is not g_i itself, a bool scalar.
        to_format: Q; None for none: the new T_i is g_i.
        counter: int64 scalar, for the random bits of Q.
    """
    gradient, entry, mean = tensors
    if to_format is not None and isinstance(to_format.format, formats.ScaledInteger):
        if isinstance(gradient, tf.Tensor) and gradient.dtype == mean.dtype:
            share = tf.where(is_corrected, 1.0 if a is None else a, 0.0)
            bits, how = to_format.format.word_bits, to_format.rounding
            random = {"seed": to_format.seed, "counter": counter}
            moved = fused_updates.move_entry(*tensors, share, bits, rounding=how, **random)
            return EntryStep(*moved)
    v = tf.cond(
        is_corrected,
        functools.partial(corrected, *tensors, a),
        functools.partial(dense, gradient, mean),
    )
    # After v is computed: else T_i and g_i wait for each other in memory.
    with tf.control_dependencies([v]):
        after = gradient if to_format is None else _moved(entry, gradient, to_format, counter)
    return EntryStep(v, after, are_finite([gradient]))


def _moved(entry: Any, gradient: Any, to_format: Quantizer, counter: tf.Tensor) -> Gradient:
    """T_i + Q(g_i − T_i)."""
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
