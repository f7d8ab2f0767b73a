"""The public quantization ops: argument checks, choice of backend, straight-through gradient."""

import numbers
from typing import Any

import numpy as np
import tensorflow as tf

from quant_ops import composite, counter_rng, library
from quant_ops.float_bits import CARRIERS

ROUNDINGS = (
    "nearest_even",
    "nearest_away",
    "nearest_up",
    "down",
    "up",
    "toward_zero",
    "stochastic",
)
OVERFLOWS = ("saturate", "wrap")


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
    x = _float_tensor(x, "x")
    attributes = {
        "word_bits": _integer(word_bits, "word_bits", 1, 64),
        "frac_bits": _integer(frac_bits, "frac_bits", -512, 512),
        "signed": _boolean(signed, "signed"),
        "rounding": _choice(rounding, "rounding", ROUNDINGS),
        "overflow": _choice(overflow, "overflow", OVERFLOWS),
    }
    seed, counter = _int64_scalar(seed, "seed"), _int64_scalar(counter, "counter")
    if library.backend() == "native":
        return library.native().quant_ops_fixed_point(x, seed, counter, **attributes)
    _check_size(x)
    return _straight_through(
        x, composite.fixed_point(tf.stop_gradient(x), seed, counter, **attributes)
    )


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
    x = _float_tensor(x, "x")
    scale = _scale(scale, x.dtype)
    attributes = {
        "word_bits": _integer(word_bits, "word_bits", 1, 64),
        "rounding": _choice(rounding, "rounding", ROUNDINGS),
        "overflow": _choice(overflow, "overflow", OVERFLOWS),
    }
    axis = _scale_axis(axis, scale.shape, x.shape)
    seed, counter = _int64_scalar(seed, "seed"), _int64_scalar(counter, "counter")
    if library.backend() == "native":
        per_axis = {"per_axis": axis is not None, "axis": axis or 0}
        native = library.native().quant_ops_scaled_integer
        return native(x, scale, seed, counter, **per_axis, **attributes)
    _check_size(x)
    quantized = composite.scaled_integer(
        tf.stop_gradient(x), tf.stop_gradient(scale), seed, counter, axis=axis, **attributes
    )
    return _straight_through(x, quantized)


@tf.custom_gradient
def _straight_through(x: tf.Tensor, quantized: tf.Tensor):
    """The value `quantized` with the gradient of `x`."""
    del x

    def gradient(upstream):
        return upstream, None

    return tf.identity(quantized), gradient


def _float_tensor(value: Any, name: str) -> tf.Tensor:
    tensor = tf.convert_to_tensor(value)
    if tensor.dtype not in CARRIERS:
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64, received {tensor.dtype.name}; "
            "convert it first, for example with tf.cast"
        )
    return tensor


def _scale(scale: Any, dtype: tf.DType) -> tf.Tensor:
    if isinstance(scale, numbers.Real | list | tuple) and not isinstance(scale, np.generic):
        scale = np.asarray(scale, dtype.as_numpy_dtype)
    if isinstance(scale, np.ndarray | np.generic):
        known = np.asarray(scale, np.float64)
        if not np.all(np.isfinite(known) & (known >= 0)):
            raise ValueError(f"scale must be finite and not negative, received {scale}")
    return _float_tensor(scale, "scale")


def _scale_axis(axis: Any, scale: tf.TensorShape, x: tf.TensorShape) -> int | None:
    """Checks scale's shape against axis and x's shape, as far as both are known."""
    if axis is None:
        if scale.rank not in (None, 0):
            raise ValueError(f"scale must be a scalar when axis is None, received shape {scale}")
        return None
    axis = _integer(axis, "axis", -254, 253)  # TensorFlow tensors have at most 254 axes
    if scale.rank not in (None, 1):
        raise ValueError(f"scale must be a vector when axis is given, received shape {scale}")
    if x.rank is None:
        return axis
    if not -x.rank <= axis < x.rank:
        raise ValueError(
            f"axis must be in [{-x.rank}, {x.rank}) for x of shape {x}, received {axis}"
        )
    axis %= x.rank
    if scale.rank and not scale.is_compatible_with([x[axis]]):
        raise ValueError(
            f"scale must have one value for each index along axis {axis} of x, {x[axis]} of them, "
            f"received shape {scale}"
        )
    return axis


def _check_size(x: tf.Tensor) -> None:
    if (x.shape.num_elements() or 0) >= counter_rng.MAX_ELEMENTS:
        raise ValueError(
            "x must have fewer than 2^32 elements on the composite backend, received shape "
            f"{x.shape}; split it, or use the native backend"
        )


def _integer(value: Any, name: str, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not low <= value <= high
    ):
        raise ValueError(f"{name} must be an integer in [{low}, {high}], received {value!r}")
    return int(value)


def _boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, received {value!r}")
    return bool(value)


def _choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, received {value!r}")
    return value


def _int64_scalar(value: Any, name: str) -> tf.Tensor:
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return tf.constant(_integer(value, name, tf.int64.min, tf.int64.max), tf.int64)
    tensor = tf.convert_to_tensor(value)
    if not tensor.dtype.is_integer or tensor.shape.rank not in (None, 0):
        raise ValueError(
            f"{name} must be an integer or a scalar integer tensor, received {value!r}"
        )
    return tf.cast(tensor, tf.int64)
