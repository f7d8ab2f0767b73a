"""What a training step does to each weight, several operations in one pass over the memory.

The bits are those of the operations one after the other: each is rounded to the tensors' dtype.
They have no gradient.
"""

from typing import Any

import tensorflow as tf

from quant_ops import composite, library
from quant_ops.arguments import check_size, float_tensor, int64_scalar, int64_tensors
from quant_ops.format_facts import ROUNDINGS
from quant_ops.ops.dispatch import takes_native
from quant_ops.ops.uniform_grids import scaled_arguments
from quant_ops.plain_arguments import choice, integer


@tf.autograph.experimental.do_not_convert
def move_offset(
    weight: Any,
    center: Any,
    offset: Any,
    scale: Any,
    word_bits: int,
    *,
    axis: int | None = None,
    rounding: str = "stochastic",
    overflow: str = "saturate",
    seed: Any = 0,
    counter: Any = 0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves the offset z from the center c by as much as the weight w has moved, and rounds it.

        z' = Q(z + (w - (c + z))),   w' = c + z',   Q(x) = scaled_integer(x, scale, word_bits, ...)

    Args:
        weight: w, a tensor of a floating dtype: c + z, and what an optimizer has added.
        center, offset: c and z, of the shape and dtype of w.
        scale, word_bits, axis, rounding, overflow, seed, counter: as for `scaled_integer`.

    Returns:
        z' and w', of the shape and dtype of w.

    Raises:
        ValueError, TypeError: as for `scaled_integer`; or the three tensors are not of one shape
            and dtype.
        tf.errors.InvalidArgumentError: likewise, found at run time.

    References: De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383, Algorithm 3.
    """
    weight, center, offset = _alike(weight=weight, center=center, offset=offset)
    inputs, attributes = scaled_arguments(
        weight, scale, word_bits, axis, rounding, overflow, seed, counter
    )
    if takes_native():
        op = library.native().quant_ops_move_offset
        new_offset, new_weight = op(weight, center, offset, *inputs, **attributes)
        return new_offset, new_weight
    check_size(weight)
    moved = offset + (weight - (center + offset))
    new_offset = composite.scaled_integer(moved, *int64_tensors(inputs), **attributes)
    return new_offset, center + new_offset


@tf.autograph.experimental.do_not_convert
def has_moved(weight: Any, center: Any, offset: Any) -> tf.Tensor:
    """Whether w is no longer c + z: w_j != c_j + z_j for any j, as where w_j is NaN.

    Args:
        weight, center, offset: w, c and z, tensors of one shape and floating dtype.

    Returns:
        A bool scalar.

    Raises:
        ValueError, TypeError: the tensors are not of one shape and floating dtype.
        tf.errors.InvalidArgumentError: likewise, found at run time.
    """
    weight, center, offset = _alike(weight=weight, center=center, offset=offset)
    if takes_native():
        return library.native().quant_ops_has_moved(weight, center, offset)
    return tf.reduce_any(weight != center + offset)


@tf.autograph.experimental.do_not_convert
def move_entry(
    gradient: Any,
    entry: Any,
    mean: Any,
    coefficient: Any,
    word_bits: int,
    *,
    rounding: str = "stochastic",
    seed: Any = 0,
    counter: Any = 0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """One step with a table of minibatch gradients, whose entries move by rounded differences.

        v = (g - a T) + a M,   T' = T + Q(g - T)
        Q(x) = scaled_integer(x, scale, word_bits),  scale = max |x_j| / (2^(word_bits - 1) - 1)

    where the maximum is that of the finite elements.

    Args:
        gradient: g, of a minibatch; a tensor of a floating dtype.
        entry, mean: T, of the minibatch, and M, of the whole table; of the shape and dtype of g.
        coefficient: a, a scalar.
        word_bits: 2..64.
        rounding, seed, counter: as for `scaled_integer`.

    Returns:
        v and T', of the shape and dtype of g; and whether g is finite, a bool scalar.

    Raises:
        ValueError, TypeError: the three tensors are not of one shape and floating dtype, or another
            argument is not as listed here.
        tf.errors.InvalidArgumentError: likewise, found at run time.

    References: Defazio et al., SAGA, NIPS 2014; differences in few bits: Mishchenko et al., DIANA,
    arXiv 1901.09269.
    """
    gradient, entry, mean = _alike(gradient=gradient, entry=entry, mean=mean)
    a = tf.cast(coefficient, gradient.dtype)
    bits = integer(word_bits, "word_bits", 2, 64)
    rounding = choice(rounding, "rounding", ROUNDINGS)
    seed, counter = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    if takes_native():
        found = library.native().quant_ops_move_entry(
            gradient, entry, mean, a, seed, counter, word_bits=bits, rounding=rounding
        )
        return tuple(found)
    check_size(gradient)
    estimate = (gradient - a * entry) + a * mean
    change = gradient - entry
    scale = composite.dynamic_scale(change, (1 << bits - 1) - 1)
    moved = composite.scaled_integer(
        change,
        scale,
        *int64_tensors((seed, counter)),
        word_bits=bits,
        per_axis=False,
        axis=0,
        rounding=rounding,
        overflow="saturate",
    )
    return estimate, entry + moved, tf.reduce_all(tf.math.is_finite(gradient))


def _alike(**tensors: Any) -> list[tf.Tensor]:
    """The tensors, without their gradients."""
    found = [tf.stop_gradient(float_tensor(tensor, name)) for name, tensor in tensors.items()]
    (first, *_), (like, *others) = tensors, found
    for name, other in zip(list(tensors)[1:], others, strict=True):
        if other.dtype != like.dtype or not other.shape.is_compatible_with(like.shape):
            raise ValueError(
                f"{name} must have the shape and dtype of {first}, {like.shape} and "
                f"{like.dtype.name}. Received: {other.shape} and {other.dtype.name}"
            )
        is_known = other.shape.is_fully_defined() and like.shape.is_fully_defined()
        if not (is_known or takes_native()):  # The native ops check it themselves.
            message = f"{', '.join(tensors)} must have one shape"
            check = tf.debugging.assert_equal(tf.shape(other), tf.shape(like), message)
            with tf.control_dependencies([] if check is None else [check]):
                like = found[0] = tf.identity(like)
    return found
