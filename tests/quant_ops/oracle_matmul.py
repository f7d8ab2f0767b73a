"""`quant_ops.matmul_rounded` from its documentation: scalars, Python's floats and fractions.

A Python float is a float64, so a * b of two float32 is exact and + is the IEEE addition.
"""

import math

import numpy as np
import oracle_floats
import quantization_oracle as oracle
from carrier_values import to_floats

WEYL = 0x9E3779B97F4A7C15


def matmul_rounded(a, b, format, *, every, seed=0, counter=0, **arguments) -> np.ndarray:
    """Of float32 matrices, as float64: exactly what float32 holds."""
    a, b = to_floats(a), to_floats(b)
    columns = len(b[0])
    result = [
        [
            _element(
                [(x, y[n]) for x, y in zip(row, b, strict=True)],
                every,
                lambda total, block, i=m * columns + n: _quantize(
                    total, format, arguments, seed + block * WEYL, counter, i
                ),
                format,
                arguments,
            )
            for n in range(columns)
        ]
        for m, row in enumerate(a)
    ]
    return np.array(result)


def _element(factors, every, quantize, format, arguments) -> float:
    total = 0.0
    for block, start in enumerate(range(0, len(factors), every)):
        for x, y in factors[start : start + every]:
            total += x * y
        total = quantize(total, block)
    return _to_float32(total, format, arguments)


def _quantize(total, format, arguments, seed, counter, index) -> float:
    rounding = arguments.get("rounding", "nearest_even")
    overflow = arguments.get("overflow", "saturate")
    bits31 = oracle.random_bits(seed, counter, index) >> 1 if rounding == "stochastic" else 0
    if format == "fixed_point":
        grid = arguments["word_bits"], arguments["frac_bits"], arguments.get("signed", True)
        return oracle.fixed_point(total, "float64", *grid, rounding, overflow, bits31)
    grid = {k: v for k, v in arguments.items() if k not in ("rounding", "overflow")}
    return oracle_floats.quantize(
        total,
        oracle.DTYPES["float64"],
        oracle_floats.minifloat_grid(**grid),
        rounding,
        overflow,
        bits31,
    )


def _to_float32(total, format, arguments) -> float:
    if format == "minifloat" or math.isnan(total):
        return total
    carrier = oracle.DTYPES["float32"]
    word_bits, delta = arguments["word_bits"], oracle.Fraction(2) ** -arguments["frac_bits"]
    low = -(1 << word_bits - 1) if arguments.get("signed", True) else 0
    high = low + (1 << word_bits) - 1
    low, high = (oracle.representable_limit(limit, delta, carrier) for limit in (low, high))
    return float(min(max(carrier.round(oracle.Fraction(total)), low), high))
