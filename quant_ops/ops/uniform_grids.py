"""Uniform grids: `fixed_point` and `scaled_integer`."""

import numbers
from typing import Any

import numpy as np
import tensorflow as tf

from quant_ops import composite
from quant_ops.arguments import float_tensor, int64_scalar
from quant_ops.format_facts import AXES, GRID_OVERFLOWS, ROUNDINGS
from quant_ops.ops.dispatch import dispatch
from quant_ops.plain_arguments import boolean, choice, integer, parameter


@tf.autograph.experimental.do_not_convert
def fixed_point(
    x: Any,
    word_bits: int,
    frac_bits: int,
    *,
    signed: bool = True,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to a fixed-point grid.

        q(x) = delta * overflow(round(x / delta)),   delta = 2^-frac_bits
        dq/dx = 1 (straight through, also where q saturates or wraps)

    The integer lies in [-2^(w-1), 2^(w-1) - 1], or in [0, 2^w - 1] when not `signed`, w =
    word_bits. The result is exactly on the grid. Where x's dtype cannot hold a limit of the grid
    (more bits than its precision, beyond its largest value) the limit is the nearest grid point
    *inside* that it holds.

    NaN stays the same NaN. +-inf saturates, or becomes NaN under "wrap". A zero result is +0.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one
            (Python floats become float32).
        word_bits: bits of the integer, 1..64.
        frac_bits: position of the binary point, -512..512; may be negative or exceed word_bits.
        signed: two's complement if true.
        rounding: "nearest_even", "nearest_away" (ties away from 0), "nearest_up" (ties up), "down",
            "up", "toward_zero", or "stochastic": away from zero with probability floor(f 2^31) /
            2^31, f = the fraction lost; unbiased to 2^-31 steps.
        overflow: "saturate", or "wrap" (modulo 2^word_bits; an unsigned result that x's dtype
            cannot hold is rounded towards zero).
        seed, counter: integers or integer tensors in int64's range; only "stochastic" reads them.
            Its bits depend on them and on the element's flat index, and on nothing else.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here.
        TypeError: `x` is not of a floating dtype.
    """
    x = float_tensor(x, "x")
    attributes = fixed_point_attributes(word_bits, frac_bits, signed, rounding, overflow)
    seed, counter = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    return dispatch("fixed_point", x, (seed, counter), attributes, composite.fixed_point)


def fixed_point_attributes(
    word_bits: int,
    frac_bits: int,
    signed: bool = True,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
) -> dict[str, Any]:
    """The checked arguments of `fixed_point` that are known when a graph is built."""
    return {
        "word_bits": parameter(word_bits, "word_bits", "fixed_point"),
        "frac_bits": parameter(frac_bits, "frac_bits", "fixed_point"),
        "signed": boolean(signed, "signed"),
        "rounding": choice(rounding, "rounding", ROUNDINGS),
        "overflow": choice(overflow, "overflow", GRID_OVERFLOWS),
    }


@tf.autograph.experimental.do_not_convert
def scaled_integer(
    x: Any,
    scale: Any,
    word_bits: int,
    *,
    axis: int | None = None,
    rounding: str = "stochastic",
    overflow: str = "saturate",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to integers times a run-time `scale`: the grid (delta, b) of HALP.

        q(x) = scale * overflow(round(x / scale)),   integer in [-2^(w-1), 2^(w-1) - 1]
        q(x) = 0 where scale = 0,   w = word_bits
        dq/dx = 1 (straight through); no gradient reaches scale

    Division, integer and product are float64; the product is rounded once to x's dtype, to nearest
    even. The op is idempotent for every rounding. Limits that are out of reach are rounded inwards
    (word_bits > 53; scale times the limit beyond x's dtype). NaN, +-inf and zero: as in
    `fixed_point`.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one.
        scale: finite, not negative: a scalar, or with `axis` a vector with one value for each index
            along that axis. Tensors and NumPy arrays keep their own floating dtype; Python numbers
            take x's. A subnormal float64 counts as 0.
        word_bits: bits of the integer, 1..64.
        axis: None, or the axis of `x` along which `scale` varies; negative counts from the end.
        rounding, overflow, seed, counter: as in `fixed_point`.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here, as far as it is known when the op is
            built.
        TypeError: `x` or `scale` is not of a floating dtype.
        tf.errors.InvalidArgumentError: a scale tensor that is negative, infinite, NaN, or does not
            fit the axis, found at run time.

    References: De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383, section 3.
    """
    x = float_tensor(x, "x")
    inputs, attributes = scaled_arguments(
        x, scale, word_bits, axis, rounding, overflow, seed, counter
    )
    return dispatch("scaled_integer", x, inputs, attributes, composite.scaled_integer)


def scaled_arguments(
    x: tf.Tensor,
    scale: Any,
    word_bits: int,
    axis: int | None,
    rounding: str,
    overflow: str,
    seed: Any,
    counter: Any,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The checked arguments of `scaled_integer` beside x: inputs and attributes of the op."""
    scale = _scale(scale, x.dtype)
    attributes = {
        "word_bits": parameter(word_bits, "word_bits", "scaled_integer"),
        "rounding": choice(rounding, "rounding", ROUNDINGS),
        "overflow": choice(overflow, "overflow", GRID_OVERFLOWS),
    }
    axis = _scale_axis(axis, scale.shape, x.shape)
    seed, counter = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    attributes |= {"per_axis": axis is not None, "axis": axis or 0}
    return (scale, seed, counter), attributes


def _scale(scale: Any, dtype: tf.DType) -> tf.Tensor:
    if isinstance(scale, numbers.Real | list | tuple) and not isinstance(scale, np.generic):
        scale = np.asarray(scale, dtype.as_numpy_dtype)
    if isinstance(scale, np.ndarray | np.generic):
        known = np.asarray(scale, np.float64)
        if not np.all(np.isfinite(known) & (known >= 0)):
            raise ValueError(f"scale must be finite and not negative. Received: {scale}")
    return float_tensor(scale, "scale")


def _scale_axis(axis: Any, scale: tf.TensorShape, x: tf.TensorShape) -> int | None:
    """Checks scale's shape against axis and x's shape, as far as both are known."""
    if axis is None:
        if scale.rank not in (None, 0):
            raise ValueError(f"scale must be a scalar when axis is None. Received: shape {scale}")
        return None
    axis = integer(axis, "axis", *AXES)
    if scale.rank not in (None, 1):
        raise ValueError(f"scale must be a vector when axis is given. Received: shape {scale}")
    if x.rank is None:
        return axis
    if not -x.rank <= axis < x.rank:
        raise ValueError(
            f"axis must be in [{-x.rank}, {x.rank}) for x of shape {x}. Received: {axis}"
        )
    axis %= x.rank
    if scale.rank and not scale.is_compatible_with([x[axis]]):
        raise ValueError(
            f"scale must have one value for each index along axis {axis} of x, {x[axis]} of them, "
            f"Received: shape {scale}"
        )
    return axis
