"""Matrix products with a low-precision accumulator: `matmul_rounded`."""

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from quant_ops import composite, library
from quant_ops.arguments import float_tensor, int64_scalar, int64_tensors
from quant_ops.composite import counter_rng
from quant_ops.ops.dispatch import takes_native
from quant_ops.ops.float_formats import minifloat_attributes
from quant_ops.ops.uniform_grids import fixed_point_attributes
from quant_ops.plain_arguments import choice, integer

_ATTRIBUTES: dict[str, Callable[..., dict[str, Any]]] = {
    "fixed_point": fixed_point_attributes,
    "minifloat": minifloat_attributes,
}


@tf.autograph.experimental.do_not_convert
def matmul_rounded(
    a: Any,
    b: Any,
    format: str,
    *,
    every: int = 1,
    seed: Any = 0,
    counter: Any = 0,
    **arguments: Any,
) -> tf.Tensor:
    """The matrix product a b, its running sum rounded to a format after every few terms.

        s_0 = 0,   s_(j+1) = q_j(s_j + a_i b_i + a_(i+1) b_(i+1) + ..),   k = every
        y = s_J,   J = ceil(K / k)
        da = dy b^T,   db = a^T dy (those of the plain product)

    for each output, where block j has the terms i = j k .. min(j k + k, K) - 1. They are added to
    s_j one by one in this order, in float64, where the products themselves are exact; every sum is
    an IEEE addition. q_j is the op `format` on float64, with the given `arguments` and the seed
    seed + j * 0x9E3779B97F4A7C15 modulo 2^64 (Weyl's sequence): what is rounded stochastically has
    bits that depend on seed, counter, j and the output's flat index, and on nothing else. With
    every >= K the whole product is rounded, once.

    y is the accumulator rounded once, to nearest even, to float32. That is exact for `minifloat`,
    and for `fixed_point` up to 24 bits; beyond, a limit that float32 cannot hold is rounded
    inwards. A NaN is the canonical one. Half-precision a and b are computed as float32, and y is
    then cast.

    Args:
        a: float16, bfloat16 or float32 tensor [..., M, K], or what converts to one.
        b: tensor of the same dtype, [K, N], or [..., K, N] with a's leading dimensions.
        format: "fixed_point" or "minifloat".
        every: terms between two roundings, k, at least 1.
        seed, counter: as in `fixed_point`.
        arguments: those of `fixed_point` or `minifloat` that follow x: word_bits, frac_bits,
            signed, rounding, overflow; exponent_bits, mantissa_bits, specials, and so on.

    Returns:
        Tensor [..., M, N] of their dtype; with K = 0, zeros.

    Raises:
        ValueError: an argument outside what is listed here, shapes that do not fit, or 2^32
            outputs or more.
        TypeError: the dtypes differ or are none of these. Products of float64 are exact in no dtype
            that there is, and so have no result that all machines agree on.

    References: Loroch et al., TensorQuant, arXiv 1710.05758, section 3 (intrinsic quantization);
    Wang et al., Training Deep Neural Networks with 8-bit Floating Point Numbers, arXiv 1812.08011,
    section 3 (chunk-based accumulation).
    """
    a, b = _factors(a, b)
    attributes = _attributes(choice(format, "format", tuple(_ATTRIBUTES)), arguments)
    attributes["every"] = integer(every, "every", 1, (1 << 63) - 1)
    streams = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    dtype, shape = a.dtype, a.shape[:-1] + b.shape[-1:]
    if (shape.num_elements() or 0) >= counter_rng.MAX_ELEMENTS:
        raise ValueError(
            f"a b must have fewer than 2^32 elements. Received: shape {shape}; split it"
        )
    left, right = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    left_3d, right_3d = _matrices(tf.stop_gradient(left), tf.stop_gradient(right))
    product = _product(f"matmul_{format}", left_3d, right_3d, streams, attributes)
    product = tf.reshape(product, tf.concat([tf.shape(a)[:-1], tf.shape(b)[-1:]], 0))
    product.set_shape(shape)
    return tf.cast(_with_plain_gradient(left, right, product), dtype)


def _factors(a: Any, b: Any) -> tuple[tf.Tensor, tf.Tensor]:
    a, b = float_tensor(a, "a"), float_tensor(b, "b")
    for name, tensor in (("a", a), ("b", b)):
        if tensor.dtype == tf.float64:
            raise TypeError(
                f"{name} must be float16, bfloat16 or float32. Received: float64, whose products "
                "no wider dtype holds exactly; convert it first, for example with tf.cast"
            )
        if tensor.shape.rank is None or tensor.shape.rank < 2:
            raise ValueError(
                f"{name} must have a known rank of at least 2. Received: shape {tensor.shape}"
            )
    if a.dtype != b.dtype:
        raise TypeError(f"b must have the dtype of a, {a.dtype.name}. Received: {b.dtype.name}")
    fits = a.shape[-1:].is_compatible_with(b.shape[-2:-1])
    if b.shape.rank > 2:
        fits = fits and a.shape[:-2].is_compatible_with(b.shape[:-2])
    if not fits:
        raise ValueError(
            "b must be [K, N] or [..., K, N] for an a of shape [..., M, K]. Received: "
            f"{b.shape} for {a.shape}"
        )
    return a, b


def _attributes(format: str, arguments: dict[str, Any]) -> dict[str, Any]:
    check = _ATTRIBUTES[format]
    try:
        bound = inspect.signature(check).bind(**arguments)
    except TypeError as error:
        valid = ", ".join(inspect.signature(check).parameters)
        raise ValueError(
            f"format {format!r} takes {valid}; received {', '.join(arguments) or 'none of them'} "
            f"({error})"
        ) from None
    return check(*bound.args, **bound.kwargs)


def _matrices(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """[batch, rows, terms] and [batch, terms, columns]; one batch where b has one matrix."""
    shape_a, shape_b = tf.shape(a), tf.shape(b)
    if b.shape.rank == 2:
        rows = tf.reduce_prod(shape_a[:-1])
        return tf.reshape(a, tf.stack([1, rows, shape_a[-1]])), b[tf.newaxis]
    batch = tf.reduce_prod(shape_a[:-2], keepdims=True)
    return (
        tf.reshape(a, tf.concat([batch, shape_a[-2:]], 0)),
        tf.reshape(b, tf.concat([batch, shape_b[-2:]], 0)),
    )


def _product(
    name: str,
    a: tf.Tensor,
    b: tf.Tensor,
    streams: tuple[int | tf.Tensor, int | tf.Tensor],
    attributes: dict[str, Any],
) -> tf.Tensor:
    if takes_native():
        return getattr(library.native(), f"quant_ops_{name}")(a, b, *streams, **attributes)
    return getattr(composite, name)(a, b, *int64_tensors(streams), **attributes)


@tf.custom_gradient
def _with_plain_gradient(
    a: tf.Tensor, b: tf.Tensor, product: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """The value `product` with the gradient of a b."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        if b.shape.rank == 2:
            # One product for all leading dimensions, as in the layers' own gradient.
            rows, columns = tf.shape(a)[-1], tf.shape(b)[-1]
            by_rows = tf.reshape(a, tf.stack([-1, rows]))
            upstream_rows = tf.reshape(upstream, tf.stack([-1, columns]))
            to_b = tf.matmul(by_rows, upstream_rows, transpose_a=True)
            to_a = tf.matmul(upstream_rows, b, transpose_b=True)
            return tf.reshape(to_a, tf.shape(a)), to_b, None
        return (
            tf.matmul(upstream, b, transpose_b=True),
            tf.matmul(a, upstream, transpose_a=True),
            None,
        )

    return tf.identity(product), gradient
