"""What the ops, formats and roundings take: each name and each range once, for all who check it.

TensorFlow is not imported, so that a mistake in a config or a map is answered at once.
"""

import numbers
from typing import Any

#: Who computes: the compiled ops, or TensorFlow's.
BACKENDS = ("native", "composite")
#: For which the loops of the compiled ops exist, the best first.
INSTRUCTION_SETS = ("avx512", "avx2", "portable")

#: How a number between two neighbours is rounded.
ROUNDINGS = (
    "nearest_even",
    "nearest_away",
    "nearest_up",
    "down",
    "up",
    "toward_zero",
    "stochastic",
)
#: Those of a format with two levels only, the default first.
BINARY_ROUNDINGS = ("nearest_up", "stochastic")

#: What becomes of a number beyond the limits: of a uniform grid, and of floating point.
GRID_OVERFLOWS = ("saturate", "wrap")
FLOAT_OVERFLOWS = ("saturate", "infinity")
OVERFLOWS = (*GRID_OVERFLOWS, "infinity")

#: dq/dx: 1 everywhere, or 0 beyond the limits.
GRADIENTS = ("straight_through", "clipped")

#: What the codes of the largest numbers of a `minifloat` mean.
SPECIALS = ("ieee", "nan", "fnuz", "none")

#: Elements of `mx` in floating point: exponent bits, mantissa bits, specials. OCP MX 1.0, 5.3.
MX_FLOAT_ELEMENTS = {
    "float8_e4m3fn": (4, 3, "nan"),
    "float8_e5m2": (5, 2, "ieee"),
    "float6_e3m2fn": (3, 2, "none"),
    "float6_e2m3fn": (2, 3, "none"),
    "float4_e2m1fn": (2, 1, "none"),
}
#: Its elements in fixed point: word bits, fraction bits.
MX_INTEGER_ELEMENTS = {"int8": (8, 6)}
MX_ELEMENTS = (*MX_FLOAT_ELEMENTS, *MX_INTEGER_ELEMENTS)
#: How the exponent of a block's scale is rounded.
SCALE_ROUNDINGS = ("floor", "ceil", "rceil", "even")

#: Format -> parameter -> the smallest and the largest integer that it may be.
RANGES: dict[str, dict[str, tuple[int, int]]] = {
    "fixed_point": {"word_bits": (1, 64), "frac_bits": (-512, 512)},
    "scaled_integer": {"word_bits": (1, 64)},
    # The bit-centered offsets: one bit is the sign, and one more is needed for any number but 0.
    "offset": {"word_bits": (2, 64)},
    # What error feedback keeps of a rounding error: one bit is the sign.
    "residual": {"word_bits": (2, 32)},
    "minifloat": {"exponent_bits": (1, 8), "mantissa_bits": (0, 23), "exponent_bias": (-126, 127)},
    "power_of_two": {"min_exponent": (-512, 512), "max_exponent": (-512, 512)},
    "block_float": {"word_bits": (2, 32)},
    # The words of the integer solver for linear models, and of its data.
    "linear_solver": {"word_bits": (8, 16), "data_bits": (4, 16)},
}
#: Neighbours that share a scale; and the axis along which they lie: TensorFlow has 254 at most.
BLOCK_SIZES = (1, 2**31 - 1)
AXES = (-254, 253)


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is an integer from `low` to `high`, and no boolean."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}. Received: {value!r}")


def check_in_range(format: str, name: str, value: Any) -> None:
    """Raise ValueError unless the parameter `name` of a format may be `value`, by RANGES."""
    check_integer(name, value, *RANGES[format][name])
