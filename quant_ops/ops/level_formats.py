"""Quantizers to few levels: `binary`, `ternary`, and `sparse`, which sets small values to zero."""

import numbers
from typing import Any

import numpy as np
import tensorflow as tf

from quant_ops import composite
from quant_ops.arguments import float_tensor, int64_scalar
from quant_ops.composite import float_bits
from quant_ops.composite.levels import ternary_threshold
from quant_ops.format_facts import BINARY_ROUNDINGS
from quant_ops.ops.dispatch import dispatch
from quant_ops.plain_arguments import choice


@tf.autograph.experimental.do_not_convert
def binary(
    x: Any,
    level: Any = 1.0,
    *,
    rounding: str = "nearest_up",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to -level or +level.

        "nearest_up"    q(x) = +level where x >= 0 (also for -0), else -level
        "stochastic"    q(x) = +level with probability p = (1 + clamp(x / level, -1, 1)) / 2
        dq/dx = 1 (straight through); no gradient reaches level

    p is computed in float64, in the order written, and then rounded down to a multiple of 2^-31; so
    between the levels the mean of q(x) is x, to 2^-30 level. +-inf becomes +-level; NaN stays the
    same NaN.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one
            (Python floats become float32).
        level: a number or a scalar tensor, positive and finite; rounded to x's dtype.
        rounding: "nearest_up" or "stochastic".
        seed, counter: as in `fixed_point`.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here; `level` is 0 or infinite in x's dtype.
        TypeError: `x` or `level` is not of a floating dtype.
        tf.errors.InvalidArgumentError: likewise for a tensor `level`, found at run time.

    References: Courbariaux et al., BinaryConnect, arXiv 1511.00363, equations 1 and 2 (whose hard
    sigmoid is p for level 1).
    """
    x = float_tensor(x, "x")
    attributes = {"rounding": choice(rounding, "rounding", BINARY_ROUNDINGS)}
    inputs = (_level(level, x.dtype), int64_scalar(seed, "seed"), int64_scalar(counter, "counter"))
    return dispatch("binary", x, inputs, attributes, composite.binary)


@tf.autograph.experimental.do_not_convert
def ternary(x: Any, level: Any = 1.0, threshold: Any = None) -> tf.Tensor:
    """Rounds `x` to -level, 0 or +level.

        q(x) = +-level, with x's sign, where |x| > threshold; else +0
        dq/dx = 1 (straight through); no gradient reaches level or threshold

    The comparison is exact. +-inf becomes +-level; NaN stays the same NaN.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one
            (Python floats become float32).
        level: a number or a scalar tensor, positive and finite; rounded to x's dtype.
        threshold: a number or a scalar tensor, finite, not negative. None: 0.7 mean |x| over the
            finite elements, summed in fixed point to 61 - bit_length(size) bits below the largest,
            so that the order of summation does not show; 0 where no finite element is nonzero.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here; `level` is 0 or infinite in x's dtype.
        TypeError: `x`, `level` or `threshold` is not of a floating dtype.
        tf.errors.InvalidArgumentError: likewise for a tensor `level` or `threshold`, found at run
            time.

    References: Li et al., Ternary Weight Networks, arXiv 1605.04711, equations 3 and 6.
    """
    x = float_tensor(x, "x")
    level = _level(level, x.dtype)
    if threshold is None:
        threshold = ternary_threshold(tf.stop_gradient(x))
    else:
        threshold = _threshold(threshold)
    return dispatch("ternary", x, (level, threshold), {}, composite.ternary)


@tf.autograph.experimental.do_not_convert
def sparse(x: Any, threshold: Any) -> tf.Tensor:
    """Sets small elements of `x` to zero and leaves the others as they are.

        q(x) = x where |x| >= threshold; else +0
        dq/dx = 1 (straight through, also where q(x) = 0); no gradient reaches threshold

    The comparison is exact. Infinities and NaN stay as they are; a zero becomes +0.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one
            (Python floats become float32).
        threshold: a number or a scalar tensor, finite, not negative.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here.
        TypeError: `x` or `threshold` is not of a floating dtype.
        tf.errors.InvalidArgumentError: likewise for a tensor `threshold`, found at run time.
    """
    x = float_tensor(x, "x")
    return dispatch("sparse", x, (_threshold(threshold),), {}, composite.sparse)


def _level(level: Any, dtype: tf.DType) -> tf.Tensor:
    """`level` as a scalar tensor of x's dtype."""
    if not _is_number(level):
        return float_bits.convert(_scalar(level, "level"), dtype)
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.asarray(level, dtype.as_numpy_dtype)
    if not 0 < rounded < np.inf:
        raise ValueError(
            f"level must be positive and finite in x's dtype, {dtype.name}. Received: {level!r}"
        )
    return tf.constant(rounded)


def _threshold(threshold: Any) -> tf.Tensor:
    """`threshold` as a float64 scalar tensor."""
    if not _is_number(threshold):
        return float_bits.convert(_scalar(threshold, "threshold"), tf.float64)
    if not 0 <= threshold < np.inf:
        raise ValueError(f"threshold must be finite and not negative. Received: {threshold!r}")
    return tf.constant(float(threshold), tf.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _scalar(value: Any, name: str) -> tf.Tensor:
    tensor = float_tensor(value, name)
    if tensor.shape.rank not in (None, 0):
        raise ValueError(f"{name} must be a scalar. Received: shape {tensor.shape}")
    return tensor
