"""Block formats, `block_float` and `mx`: the elements of a block share a power-of-two scale."""

from typing import Any

import tensorflow as tf

from quant_ops import composite
from quant_ops.arguments import float_tensor, int64_scalar
from quant_ops.format_facts import (
    AXES,
    BLOCK_SIZES,
    MX_ELEMENTS,
    MX_FLOAT_ELEMENTS,
    MX_INTEGER_ELEMENTS,
    ROUNDINGS,
    SCALE_ROUNDINGS,
)
from quant_ops.minifloat_grid import minifloat_grid
from quant_ops.ops.dispatch import dispatch
from quant_ops.plain_arguments import choice, integer, parameter

FLOAT_FACTS = ("mantissa_bits", "min_exponent", "max_significand", "max_exponent")


@tf.autograph.experimental.do_not_convert
def block_float(
    x: Any,
    word_bits: int,
    *,
    block_size: int,
    axis: int = -1,
    rounding: str = "nearest_even",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to block floating point: integers that share one exponent per block.

        q(x) = step * clamp(round(x / step), -L, L),   step = 2^(k - (w - 2)),   L = 2^(w-1) - 1
        k = floor(log2(largest finite |x| of the block)),   w = word_bits
        dq/dx = 1 (straight through, also to the element that determines k)

    A block is `block_size` consecutive elements along `axis`. The shared exponent is unlimited. The
    largest element uses every bit of its word, so only rounding up to 2^(w-1) saturates. -2^(w-1)
    is not used: it would make the grid lopsided, and a second pass choose twice the step.

    NaN stays the same NaN and +-inf becomes the block's limit. Neither counts for k; but where no
    finite element is nonzero, infinities count as the largest number of x's dtype. A zero result is
    +0. Where x's dtype cannot hold a limit, it is the nearest number of the block's grid *inside*
    that it holds.

    Args:
        x: float16, bfloat16, float32 or float64 tensor with at least one axis, or what converts to
            one.
        word_bits: bits of an element, the sign included, 2..32.
        block_size: elements that share an exponent, at least 1; divides the length of the axis.
        axis: of `x`; negative counts from the end.
        rounding, seed, counter: as in `fixed_point`; the index is the element's in `x`.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here, as far as it is known when the op is
            built.
        TypeError: `x` is not of a floating dtype.
        tf.errors.InvalidArgumentError: `x` has no such axis, or block_size does not divide its
            length, found at run time.

    References: Wilkinson, Rounding Errors in Algebraic Processes (1963), section 1.12; Drumond et
    al., Training DNNs with Hybrid Block Floating Point, arXiv 1804.01526.
    """
    word_bits = parameter(word_bits, "word_bits", "block_float")
    facts = {"element": "integer", "word_bits": word_bits}
    facts |= {"scale_rounding": "floor", "limited_scale": False} | dict.fromkeys(FLOAT_FACTS, 0)
    return _in_blocks(x, facts, block_size, axis, rounding, seed, counter)


@tf.autograph.experimental.do_not_convert
def mx(
    x: Any,
    element: str = "float8_e4m3fn",
    *,
    block_size: int = 32,
    axis: int = -1,
    scale_rounding: str = "floor",
    rounding: str = "nearest_even",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to an OCP microscaling format: small elements that share a power of two per block.

        q(x) = X * element(x / X),   X = 2^k
        k = floor(log2(amax)) - emax + up, clamped to [-127, 127];   -127 if amax = 0
        dq/dx = 1 (straight through, also to the element that determines k)

    amax is the largest finite |x| of a block of `block_size` consecutive elements along `axis`, and
    emax the exponent of the element's largest number. Elements saturate. `up` is 1 or 0: with M =
    amax / 2^floor(log2(amax)), 1 <= M < 2,

        "floor"   0: OCP's conversion; what lies beyond the largest element saturates
        "ceil"    M > 1: nothing saturates
        "rceil"   M > the largest element / 2^emax: X is the least power of two that avoids
                  saturation, ceil(log2(amax / largest element))
        "even"    M rounds (half up) to 2 in the element's mantissa bits: nothing that would be
                  rounded beyond 2^(emax+1) saturates

        element          largest    emax   mantissa bits   smallest
        float8_e4m3fn    448        8      3               2^-9
        float8_e5m2      57344      15     2               2^-16
        float6_e3m2fn    28         4      2               2^-4
        float6_e2m3fn    7.5        2      3               2^-3
        float4_e2m1fn    6          2      1               2^-1
        int8             127/64     0      6               2^-6    (-2 is not used)

    NaN stays the same NaN and +-inf becomes +-(the largest element) X. Neither counts for amax; but
    where no finite element is nonzero, infinities count as the largest number of x's dtype. A zero
    result has x's sign, for int8 it is +0. Where x's dtype cannot hold a limit, it is the nearest
    number of the block's grid *inside* that it holds.

    Args:
        x: float16, bfloat16, float32 or float64 tensor with at least one axis, or what converts to
            one.
        element: one of the table.
        block_size: elements that share a scale, at least 1; divides the length of the axis. OCP's
            formats have 32.
        axis: of `x`; negative counts from the end.
        scale_rounding: "floor", "ceil", "rceil" or "even".
        rounding, seed, counter: of the elements, as in `fixed_point`; the index is the element's in
            `x`.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here, as far as it is known when the op is
            built.
        TypeError: `x` is not of a floating dtype.
        tf.errors.InvalidArgumentError: `x` has no such axis, or block_size does not divide its
            length, found at run time.

    References: OCP Microscaling Formats (MX) Specification v1.0, sections 5 and 6; Rouhani et al.,
    Microscaling Data Formats for Deep Learning, arXiv 2310.10537, algorithm 1.
    """
    if choice(element, "element", MX_ELEMENTS) in MX_FLOAT_ELEMENTS:
        grid = minifloat_grid(*MX_FLOAT_ELEMENTS[element])
        facts = {"element": "float", "word_bits": 0}
        facts |= {name: getattr(grid, name) for name in FLOAT_FACTS}
    else:
        word_bits, _ = MX_INTEGER_ELEMENTS[element]
        facts = {"element": "integer", "word_bits": word_bits} | dict.fromkeys(FLOAT_FACTS, 0)
    facts["scale_rounding"] = choice(scale_rounding, "scale_rounding", SCALE_ROUNDINGS)
    return _in_blocks(x, facts | {"limited_scale": True}, block_size, axis, rounding, seed, counter)


def _in_blocks(
    x: Any,
    facts: dict[str, Any],
    block_size: Any,
    axis: Any,
    rounding: Any,
    seed: Any,
    counter: Any,
) -> tf.Tensor:
    x = float_tensor(x, "x")
    attributes = facts | {
        "block_size": integer(block_size, "block_size", *BLOCK_SIZES),
        "axis": integer(axis, "axis", *AXES),
        "rounding": choice(rounding, "rounding", ROUNDINGS),
    }
    _check_blocks(x.shape, axis, block_size)
    seed, counter = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    return dispatch("block_scaled", x, (seed, counter), attributes, composite.block_scaled)


def _check_blocks(shape: tf.TensorShape, axis: int, block_size: int) -> None:
    """Checks axis and block_size against the shape, as far as it is known."""
    if shape.rank is None:
        return
    if not -shape.rank <= axis < shape.rank:
        raise ValueError(
            f"axis must be in [{-shape.rank}, {shape.rank}) for x of shape {shape}. "
            f"Received: {axis}"
            if shape.rank
            else "x must have at least one axis. Received: a scalar"
        )
    if (shape[axis] or 0) % block_size:
        raise ValueError(
            f"block_size must divide the length of axis {axis} of x, {shape[axis]}. Received: "
            f"{block_size}"
        )
