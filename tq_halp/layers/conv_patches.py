"""Patches (im2col): the parts of a tensor that a convolution multiplies by its kernel."""

import itertools
from collections.abc import Sequence

import tensorflow as tf


def patches(
    x: tf.Tensor,
    kernel_size: Sequence[int],
    strides: Sequence[int],
    dilation_rate: Sequence[int],
    padding: str,
) -> tf.Tensor:
    """For each output of a convolution, the inputs in its window, padded as in Keras.

    Args:
        x: [batch, *spatial, channels], of any dtype. Sizes may be unknown until run time.
        kernel_size, strides, dilation_rate: an integer for each spatial dimension.
        padding: "valid", "same", or "causal" (zeros in front only).

    Returns:
        [batch, *outputs, positions, channels], with the kernel's positions row by row. With strides
        of 1 its size is about that of x times the number of positions.
    """
    before, after, counts = [], [], []
    for axis, (size, stride, dilation) in enumerate(
        zip(kernel_size, strides, dilation_rate, strict=True), start=1
    ):
        length = x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]
        reach = (size - 1) * dilation
        total = _padding(length, reach, stride, padding)
        before.append(total if padding == "causal" else total // 2)
        after.append(total - before[-1])
        counts.append((length + total - reach - 1) // stride + 1)
    x = tf.pad(x, [[0, 0], *zip(before, after, strict=True), [0, 0]])
    parts = []
    for position in itertools.product(*map(range, kernel_size)):
        starts = [p * d for p, d in zip(position, dilation_rate, strict=True)]
        window = [
            slice(start, start + (count - 1) * stride + 1, stride)
            for start, count, stride in zip(starts, counts, strides, strict=True)
        ]
        batch_and_window = (slice(None), *window)
        parts.append(x[batch_and_window])
    return tf.stack(parts, axis=-2)


def _padding(length: tf.Tensor | int, reach: int, stride: int, padding: str) -> tf.Tensor | int:
    """The number of zeros on both sides together."""
    if padding != "same":
        return reach if padding == "causal" else 0
    needed = ((length + stride - 1) // stride - 1) * stride + reach + 1 - length
    return max(needed, 0) if isinstance(needed, int) else tf.maximum(needed, 0)
