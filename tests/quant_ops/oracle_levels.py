"""Binary, ternary and sparse by their definitions, in exact arithmetic; no TensorFlow.

It restates `quant_ops.binary`, `ternary` and `sparse` from their documentation and shares no code
with either backend.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from quantization_oracle import floor_log2


def binary(x: float, level: float, rounding: str = "nearest_up", bits31: int = 0) -> float:
    if math.isnan(x):
        return math.nan
    if rounding == "nearest_up":
        return level if x >= 0 else -level
    y = max(-level, min(level, x))
    # As documented: each of these operations is the IEEE one on float64.
    chance = math.floor((1 + y / level) / 2 * 2.0**31)
    return level if y >= level or bits31 < chance else -level


def ternary(x: float, level: float, threshold: float) -> float:
    if math.isnan(x):
        return math.nan
    return math.copysign(level, x) if abs(x) > threshold else 0.0


def sparse(x: float, threshold: float) -> float:
    if math.isnan(x):
        return math.nan
    return x if abs(x) >= threshold and x != 0 else 0.0


def ternary_threshold(values: Sequence[float]) -> float:
    """0.7 times the mean magnitude of the finite values, in the documented fixed-point sum."""
    magnitudes = [abs(Fraction(x)) for x in values if math.isfinite(x)]
    if not any(magnitudes):
        return 0.0
    exponent = floor_log2(max(magnitudes))
    scale = 62 - len(values).bit_length()
    total = sum(math.floor(m * Fraction(2) ** (scale - 1 - exponent)) for m in magnitudes)
    return math.ldexp(float(total) * (0.7 / len(magnitudes)), exponent + 1 - scale)
