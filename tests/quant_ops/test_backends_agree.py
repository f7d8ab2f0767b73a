"""native and composite give the same bits, over all magnitudes, signs, NaN, infinities, subnormals.

Up to 60,000 values for each op, dtype and rounding; QUANT_OPS_TEST_VALUES=10000000 for more.
"""

import functools
import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from block_values import blocks_of_all_kinds
from carrier_values import DTYPES, OVERFLOWS, ROUNDINGS, from_bits, spread, to_bits
from oracle_blocks import ELEMENTS

import quant_ops
from quant_ops.library import forced

VALUES = int(os.environ.get("QUANT_OPS_TEST_VALUES", 60_000))
# word_bits, frac_bits, signed: everyday words, one bit, coarse, each compute type, the edges of
# both arguments, limits beyond the carrier, steps below its subnormals.
FIXED_POINT = [
    (8, 6, True), (8, 4, False), (1, 0, True), (16, -3, False), (32, 60, True), (33, 0, False),
    (64, 60, False), (24, 149, True), (53, 160, False), (64, 512, True), (12, -512, False),
]  # fmt: skip
# word_bits, scale, axis: an everyday scale, one bit, a product that rounds, subnormal and huge
# ones, zero, a vector for each axis of [8, ..., 3].
SCALED_INTEGER = [
    (8, 0.1, None), (1, 1e-3, None), (53, 1e-20, None), (32, 3e-40, None), (64, 7e30, None),
    (4, np.array([0.1, 0, 5e-324, 1e-310, 1e300, 2.5, 1e-38, 1]), 0),
    (8, np.array([0.1, 1e-42, 6e-8], np.float32), -1),
]  # fmt: skip
# Narrow and wide, no mantissa, each overflow, exponents beyond the narrower dtypes.
MINIFLOAT = [
    {"exponent_bits": 4, "mantissa_bits": 3, "specials": "nan"},
    {"exponent_bits": 5, "mantissa_bits": 2, "overflow": "infinity"},
    {"exponent_bits": 3, "mantissa_bits": 4, "specials": "fnuz", "overflow": "infinity"},
    {"exponent_bits": 5, "mantissa_bits": 10, "subnormals": False, "overflow": "infinity"},
    {"exponent_bits": 8, "mantissa_bits": 23},
    {"exponent_bits": 6, "mantissa_bits": 0},
    {"exponent_bits": 3, "mantissa_bits": 20, "specials": "none", "exponent_bias": -20},
]
POWER_OF_TWO = [(-8, 7), (-40, -30), (-512, 512), (-130, 127)]
# Op, its argument, block_size, axis of [10, ..., 32].
BLOCKS = [
    (quant_ops.block_float, *case)
    for case in ((8, 32, -1), (2, 10, 0), (32, 4, 2), (12, 1, 1), (24, 16, -1), (3, 5, 0))
]
BLOCKS += [
    (functools.partial(quant_ops.mx, scale_rounding=scale_rounding), element, *layout)
    for element, layout in zip(ELEMENTS, 2 * ((32, -1), (5, 0), (2, 2)), strict=True)
    for scale_rounding in ("floor", "ceil", "rceil", "even")
]


def assert_backends_agree(quantize, bits: np.ndarray, dtype: str, in_a_graph: bool = True):
    """Compares native with the composite; in a graph, whose optimizer rewrites the composite."""
    x = from_bits(bits, dtype)
    results = []
    for backend in ("native", "composite"):
        with forced(backend):
            run = tf.function(quantize) if in_a_graph else quantize
            results.append(to_bits(run(x)))
    differ = np.argwhere(results[0] != results[1])
    assert not len(differ), [
        (len(differ), hex(bits[tuple(i)]), *(hex(result[tuple(i)]) for result in results))
        for i in differ[:5]
    ]


def turn(cases: list, every: int, dtype: str, rounding: str, overflow: str | None = None):
    """Every so manieth of the cases, where this combination starts: (index, case, in a graph).

    Each case meets every dtype and several roundings. Tracing takes longer than all the rest, so a
    case is in a graph with one dtype, rounding and overflow only, which its index chooses.
    """
    d, r, o = DTYPES.index(dtype), ROUNDINGS.index(rounding), (None, *OVERFLOWS).index(overflow)
    chosen = list(enumerate(cases))[(d + r + o) % every :: every]

    def in_a_graph(i):
        met = range((i - d - o) % every, len(ROUNDINGS), every)  # the roundings of this case
        its_overflow = overflow is None or o == 1 + i // 4 % 2
        return d == i % 4 and its_overflow and r == met[i % len(met)]

    return [(i, case, in_a_graph(i)) for i, case in chosen]


@pytest.mark.parametrize(
    "cases, every, overflows",
    [
        (FIXED_POINT, 3, OVERFLOWS), (SCALED_INTEGER, 3, OVERFLOWS), (MINIFLOAT, 3, [None]),
        (POWER_OF_TWO, 3, [None]), (BLOCKS, 7, [None]),
    ],
)  # fmt: skip
def test_turns(cases, every, overflows):
    """Each case has every dtype, and once a graph."""
    met, graphs = set(), []
    for dtype, rounding, overflow in itertools.product(DTYPES, ROUNDINGS, overflows):
        for i, case, in_a_graph in turn(cases, every, dtype, rounding, overflow):
            assert case is cases[i]
            met.add((i, dtype))
            graphs += [i] * in_a_graph
    assert len(met) == len(cases) * len(DTYPES)
    assert sorted(graphs) == list(range(len(cases)))


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_fixed_point(dtype, rounding, overflow):
    for i, case, in_a_graph in turn(FIXED_POINT, 3, dtype, rounding, overflow):
        word_bits, frac_bits, signed = case
        step = 2.0**-frac_bits if abs(frac_bits) < 140 else 1.0
        bits = spread(dtype, VALUES // len(FIXED_POINT), step, seed=i)
        assert_backends_agree(
            lambda x, w=word_bits, f=frac_bits, s=signed, i=i: quant_ops.fixed_point(
                x, w, f, signed=s, rounding=rounding, overflow=overflow, seed=~i, counter=i << 33
            ),
            bits,
            dtype,
            in_a_graph,
        )


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scaled_integer(dtype, rounding, overflow):
    for i, (word_bits, scale, axis), in_a_graph in turn(
        SCALED_INTEGER, 3, dtype, rounding, overflow
    ):
        count = VALUES // len(SCALED_INTEGER) // 24 * 24
        bits = spread(dtype, count, scale if axis is None else 0.1, seed=i)
        scale = np.float64(scale) if axis is None else scale
        assert_backends_agree(
            lambda x, w=word_bits, s=scale, a=axis, i=i: quant_ops.scaled_integer(
                x, s, w, axis=a, rounding=rounding, overflow=overflow, seed=i, counter=-i
            ),
            bits if axis is None else bits.reshape(8, -1, 3),
            dtype,
            in_a_graph,
        )


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_floats(dtype, rounding):
    count = VALUES // (len(MINIFLOAT) + len(POWER_OF_TWO))
    for i, arguments, in_a_graph in turn(MINIFLOAT, 3, dtype, rounding):
        assert_backends_agree(
            lambda x, i=i, arguments=arguments: quant_ops.minifloat(
                x, **arguments, rounding=rounding, seed=i, counter=-i
            ),
            spread(dtype, count, 2.0**-4, seed=i),
            dtype,
            in_a_graph,
        )
    for i, exponents, in_a_graph in turn(POWER_OF_TWO, 3, dtype, rounding):
        assert_backends_agree(
            lambda x, i=i, exponents=exponents: quant_ops.power_of_two(
                x, *exponents, rounding=rounding, seed=i, counter=-i
            ),
            spread(dtype, count, 2.0**-4, seed=i),
            dtype,
            in_a_graph,
        )


def block_bits(dtype: str, count: int, seed: int) -> np.ndarray:
    """Bit patterns [10, ..., 32]: half of them any values, so that few decide the scales of many,
    half in blocks of one magnitude."""
    rows = count // 640
    anything = spread(dtype, rows * 320, 0.1, seed)
    alike = blocks_of_all_kinds(dtype, rows * 10, 32, seed)
    return np.concatenate([anything.reshape(10, rows, 32), alike.reshape(10, rows, 32)], 1)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks(dtype, rounding):
    for i, (quantize, *arguments, block_size, axis), in_a_graph in turn(BLOCKS, 7, dtype, rounding):
        assert_backends_agree(
            lambda x, q=quantize, w=arguments, b=block_size, a=axis, i=i: q(
                x, *w, block_size=b, axis=a, rounding=rounding, seed=i, counter=-i
            ),
            block_bits(dtype, 4 * VALUES // len(BLOCKS), seed=i),
            dtype,
            in_a_graph,
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_levels(dtype):
    """Each case in a graph with one of the dtypes."""
    bits = spread(dtype, VALUES // 7, 0.1, seed=8)
    quantizers = (
        lambda x: quant_ops.binary(x, 0.1),
        lambda x: quant_ops.binary(x, 0.1, rounding="stochastic", seed=5, counter=6),
        lambda x: quant_ops.binary(x, 60000.0, rounding="stochastic", seed=5, counter=6),
        lambda x: quant_ops.ternary(x, 0.1, 0.2),
        lambda x: quant_ops.ternary(x, 0.1, 1e-310),
        lambda x: quant_ops.ternary(x, 0.1),
        lambda x: quant_ops.sparse(x, 0.1),
    )
    for i, quantize in enumerate(quantizers):
        assert_backends_agree(quantize, bits, dtype, in_a_graph=i % 4 == DTYPES.index(dtype))
