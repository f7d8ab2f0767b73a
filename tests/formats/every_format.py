"""Examples of every family of formats, and of each way to write it."""

import pytest

from tq_halp.formats import (
    MX,
    NAMED,
    Binary,
    BlockFloat,
    FixedPoint,
    Minifloat,
    PowerOfTwo,
    ScaledInteger,
    Sparse,
    Ternary,
)

EXAMPLES = [
    FixedPoint(8, 6),
    FixedPoint(3, -2, signed=False),
    ScaledInteger(5),
    ScaledInteger(8),
    Minifloat(4, 2),
    Minifloat(3, 2, specials="none"),
    Minifloat(4, 2, specials="none", exponent_bias=9),
    Minifloat(8, 7, subnormals=False),
    PowerOfTwo(-7, 0),
    BlockFloat(8, 4),
    BlockFloat(8, 16, axis=0),
    MX(),
    MX(block_size=4),
    MX("int8", 16, axis=0, scale_rounding="even"),
    Binary(),
    Binary(0.5),
    Ternary(),
    Ternary(0.5, 0.25),
    Sparse(0.01),
    Sparse(0.25),
    *NAMED.values(),
]
every_format = pytest.mark.parametrize("format", EXAMPLES, ids=str)
