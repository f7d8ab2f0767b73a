"""Floating-point grids: `minifloat` and `power_of_two`."""

from typing import Any

import tensorflow as tf

from quant_ops import composite
from quant_ops.arguments import float_tensor, int64_scalar
from quant_ops.format_facts import FLOAT_OVERFLOWS, RANGES, ROUNDINGS, SPECIALS
from quant_ops.minifloat_grid import FloatGrid, minifloat_grid, power_of_two_grid
from quant_ops.ops.dispatch import dispatch
from quant_ops.plain_arguments import boolean, choice, integer, parameter


@tf.autograph.experimental.do_not_convert
def minifloat(
    x: Any,
    exponent_bits: int,
    mantissa_bits: int,
    *,
    specials: str = "ieee",
    exponent_bias: int | None = None,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    subnormals: bool = True,
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to the numbers of a small floating-point format.

        q(x) = step * round(x / step),   step = 2^(max(floor(log2 |x|), min_exponent) - m)
        dq/dx = 1 (straight through, also where q overflows)

        m = mantissa_bits,   min_exponent = 1 - bias
        bias = 2^(exponent_bits - 1) - 1, one more for "fnuz", unless exponent_bias is given

    rounded as if the exponent had no upper end; what is then beyond the largest number overflows.
    A tie goes to the even code under "nearest_even". With `subnormals` false nothing lies between 0
    and 2^min_exponent, the smallest number, and values in this gap are rounded to its two ends.

    `specials` tells which codes are no numbers, and so which number is the largest:

        "ieee"  those with all exponent bits set: infinity and NaN
        "nan"   those with all bits but the sign set: NaN
        "fnuz"  that of -0: NaN, and there is no -0
        "none"  none

    Where x's dtype cannot hold the largest number, the limit is the largest number of the format
    that it holds. NaN stays the same NaN. A zero result has x's sign; for "fnuz" it is +0.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one
            (Python floats become float32).
        exponent_bits: 1..8; the exponents of normal numbers must lie within -126..127.
        mantissa_bits: stored bits of the significand, 0..23.
        specials: "ieee", "nan" (OCP's E4M3), "fnuz" or "none" (OCP's 6-bit and 4-bit formats).
        exponent_bias: None, or an integer that takes the place of the bias above.
        rounding: as in `fixed_point`; a fraction is one of a step.
        overflow: what values beyond the largest number, and +-inf, become. "saturate": the largest
            number with x's sign. "infinity": infinity with x's sign for "ieee", and the canonical
            quiet NaN for "nan" and "fnuz"; as in IEEE 754, finite values become the largest number
            where the rounding points towards it ("toward_zero"; "down" for x > 0; "up" for x < 0).
            Not for "none", which has neither.
        subnormals: whether the format has numbers between 0 and 2^min_exponent.
        seed, counter: as in `fixed_point`.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here; no normal number would be left.
        TypeError: `x` is not of a floating dtype.

    References: IEEE 754-2019; OCP 8-bit Floating Point Specification (OFP8) v1.0; OCP Microscaling
    Formats (MX) Specification v1.0, section 5.3; Micikevicius et al., FP8 Formats for Deep
    Learning, arXiv 2209.05433.
    """
    attributes = minifloat_attributes(
        exponent_bits, mantissa_bits, specials, exponent_bias, rounding, overflow, subnormals
    )
    return _round_to(attributes, x, seed, counter)


def minifloat_attributes(
    exponent_bits: int,
    mantissa_bits: int,
    specials: str = "ieee",
    exponent_bias: int | None = None,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    subnormals: bool = True,
) -> dict[str, Any]:
    """The checked arguments of `minifloat` that are known when a graph is built."""
    grid = minifloat_grid(
        parameter(exponent_bits, "exponent_bits", "minifloat"),
        parameter(mantissa_bits, "mantissa_bits", "minifloat"),
        choice(specials, "specials", SPECIALS),
        None if exponent_bias is None else parameter(exponent_bias, "exponent_bias", "minifloat"),
        boolean(subnormals, "subnormals"),
    )
    overflows = FLOAT_OVERFLOWS if grid.beyond else ("saturate",)
    if choice(overflow, "overflow", FLOAT_OVERFLOWS) not in overflows:
        raise ValueError(
            f"overflow must be saturate with specials {specials!r}, which has neither infinity nor "
            f"NaN. Received: {overflow!r}"
        )
    return _attributes(grid, rounding, overflow)


@tf.autograph.experimental.do_not_convert
def power_of_two(
    x: Any,
    min_exponent: int,
    max_exponent: int,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    seed: Any = 0,
    counter: Any = 0,
) -> tf.Tensor:
    """Rounds `x` to zero or a signed power of two: a multiplication becomes a shift.

        grid: 0 and +-2^e, min_exponent <= e <= max_exponent
        dq/dx = 1 (straight through, also where q saturates)

    Rounding is linear: of the two neighbours 2^e and 2^(e+1) the nearer one wins, and the tie
    1.5 * 2^e goes to the even exponent under "nearest_even". Between 0 and 2^min_exponent the tie
    goes to 0. A zero result is +0. NaN, +-inf and a limit that x's dtype cannot hold: as in
    `minifloat`, of which this is mantissa_bits = 0 without subnormals.

    Args:
        x: float16, bfloat16, float32 or float64 tensor of any shape, or what converts to one.
        min_exponent, max_exponent: -512..512, in this order.
        rounding, seed, counter: as in `minifloat`.
        overflow: "saturate"; there is no other.

    Returns:
        Tensor of x's dtype and shape.

    Raises:
        ValueError: an argument outside what is listed here.
        TypeError: `x` is not of a floating dtype.

    References: Miyashita et al., Convolutional Neural Networks using Logarithmic Data
    Representation, arXiv 1603.01025 (which rounds the logarithm; this rounds the number).
    """
    min_exponent = parameter(min_exponent, "min_exponent", "power_of_two")
    highest = RANGES["power_of_two"]["max_exponent"][1]
    max_exponent = integer(max_exponent, "max_exponent", min_exponent, highest)
    choice(overflow, "overflow", ("saturate",))
    grid = power_of_two_grid(min_exponent, max_exponent)
    return _round_to(_attributes(grid, rounding, overflow), x, seed, counter)


def _attributes(grid: FloatGrid, rounding: str, overflow: str) -> dict[str, Any]:
    return grid.attributes(overflow) | {"rounding": choice(rounding, "rounding", ROUNDINGS)}


def _round_to(attributes: dict[str, Any], x: Any, seed: Any, counter: Any) -> tf.Tensor:
    x = float_tensor(x, "x")
    seed, counter = int64_scalar(seed, "seed"), int64_scalar(counter, "counter")
    return dispatch("minifloat", x, (seed, counter), attributes, composite.minifloat)
