"""block_float and mx: vectors worked by hand, gfloat, and exact arithmetic over all cases."""

import functools
import itertools

import gfloat
import gfloat.formats
import numpy as np
import oracle_arrays
import oracle_blocks
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from block_values import as_blocks, blocks_of_all_kinds, from_blocks
from carrier_values import BACKENDS, DTYPES, ROUNDINGS, expect, from_bits, to_floats

import quant_ops
from quant_ops.library import forced

SEED, COUNTER = 1, 2
SCALE_ROUNDINGS = ("floor", "ceil", "rceil", "even")
# Shapes and axes for blocks of each size: along the last axis, an inner and the first one.
LAYOUTS = {1: ((48, 1), -1), 2: ((4, 4, 6), 1), 16: ((2, 3, 32, 2), -2), 32: ((64, 6), 0)}
LAYOUTS |= {40: ((4, 3, 40), 2)}

# Worked by hand. k is the exponent of the scale X = 2^k.
HAND_MX = [
    # 8 = 2^3, emax 2: k = 1. x / X = .5 1 1.5 2 2.5 3 3.5 -4; the ties 2.5 and 3.5 go to the even
    # codes 2 and 4 of 0 .5 1 1.5 2 3 4 6.
    ("float4_e2m1fn", "floor", [1, 2, 3, 4, 5, 6, 7, -8], [1, 2, 3, 4, 4, 6, 8, -8]),
    # 7 = 1.75 * 2^2: k = 0, and 7 saturates at 6. 5 is the tie of 4 and 6, the odd code.
    ("float4_e2m1fn", "floor", [7, 5, 0.25, -0.2], [6, 4, 0, -0.0]),
    # k = 1 because 1.75 > 1, 1.75 > 1.5, 1.75 rounds up to 2: 3.5 -> 4, 2.5 -> 2.
    ("float4_e2m1fn", "ceil", [7, 5, 0.25, -0.2], [8, 4, 0, -0.0]),
    ("float4_e2m1fn", "rceil", [7, 5, 0.25, -0.2], [8, 4, 0, -0.0]),
    ("float4_e2m1fn", "even", [7, 5, 0.25, -0.2], [8, 4, 0, -0.0]),
    # 6 is the largest element: only "ceil" goes on to k = 1, where 5 / 2 is a tie again.
    ("float4_e2m1fn", "rceil", [6, 5], [6, 4]),
    ("float4_e2m1fn", "even", [6, 5], [6, 4]),
    ("float4_e2m1fn", "ceil", [6, 2.75], [6, 3]),
    # 500 = 1.953 * 2^8: k = 0, the largest element is 448; from 16 on the step is 2.
    ("float8_e4m3fn", "floor", [500, 17, 19, 448, -2.0**-10], [448, 16, 20, 448, -0.0]),
    # k = 1: 250 -> 256, 8.5 -> 8, 9.5 -> 10, and 2^-11 is under half of the least element 2^-9.
    ("float8_e4m3fn", "rceil", [500, 17, 19, 448, -2.0**-10], [512, 16, 20, 448, -0.0]),
    # 496 = 1.9375 * 2^8: three bits round this up to 2, and less down to 1.875.
    ("float8_e4m3fn", "even", [496, 1], [512, 1]),
    ("float8_e4m3fn", "even", [495, 1], [448, 1]),
    # Exponent 15 of 57344 = 1.75 * 2^15. The step of 1 is 1/4.
    ("float8_e5m2", "floor", [65535, 1.125, 1.375], [57344, 1, 1.5]),
    ("float6_e3m2fn", "floor", [31, 28, 1 / 32, 3 / 32], [28, 28, 0, 1 / 8]),
    ("float6_e2m3fn", "floor", [7.5, 0.1, 1 / 16, -3 / 16], [7.5, 0.125, 0, -0.25]),
    # Steps of 1/64 from -127/64 to 127/64; a zero has no sign.
    ("int8", "floor", [1, 1 / 128, 3 / 128, -1.999, 1.999], [1, 0, 2 / 64, -127 / 64, 127 / 64]),
    ("int8", "even", [1.999, -1 / 64], [2, 0.0]),
    # OCP's E8M0 ends at 2^-127: amax 2^-130 would need k = -132.
    ("float4_e2m1fn", "floor", [2.0**-130, 2.0**-127], [0, 2.0**-127]),
]  # fmt: skip


@pytest.fixture(params=BACKENDS)
def backend(request):
    with forced(request.param):
        yield


@pytest.mark.parametrize("element, scale_rounding, x, expected", HAND_MX)
def test_mx_by_hand(element, scale_rounding, x, expected, backend):
    x = tf.constant(x, tf.float32)
    result = quant_ops.mx(x, element, block_size=len(x), scale_rounding=scale_rounding)
    expect(result, x, expected)


def test_block_float_by_hand(backend):
    """amax = 1.9: k = 0, and four bits have the step 1/4 and the limits -1.75 and 1.75."""
    x = tf.constant([1, 0.3, -1, 1.9, 0.125, 0.375, -1.9, -0.1])
    expected = [1, 0.25, -1, 1.75, 0, 0.5, -1.75, 0]
    expect(quant_ops.block_float(x, 4, block_size=8), x, expected)
    # Two blocks: amax 1 and 1.9; the first has k = 0 too, then pairs get their own exponents.
    expected = [1, 0.25, -1, 1.75, 0.125, 0.375, -1.75, 0]
    expect(quant_ops.block_float(x, 4, block_size=2), x, expected)


def test_infinity_saturates_at_the_limits_of_its_block(backend):
    """amax = 1.9 in the first block: k = 0, but -2 for E2M1, whose largest number is 6. The second
    has no finite number but zeros: its infinities count as float32's largest number, (2 - 2^-23) *
    2^127."""
    x = tf.constant([[1.9, np.inf, -np.inf, np.nan], [0.0, -0.0, np.inf, -np.inf]])
    top = 2.0**127
    result = quant_ops.block_float(x, 4, block_size=4)
    expect(result, x, [[1.75, 1.75, -1.75, np.nan], [0, 0, 1.75 * top, -1.75 * top]])
    result = quant_ops.mx(x, "float4_e2m1fn", block_size=4)
    expect(result, x, [[1.5, 1.5, -1.5, np.nan], [0, -0.0, 1.5 * top, -1.5 * top]])
    result = quant_ops.mx(x, "int8", block_size=4)
    most = 127 / 64
    expect(result, x, [[122 / 64, most, -most, np.nan], [0, 0, most * top, -most * top]])


def test_a_block_of_zeros(backend):
    x = tf.constant([0.0, -0.0, np.nan])
    expect(quant_ops.block_float(x, 8, block_size=3), x, [0, 0, np.nan])
    expect(quant_ops.mx(x, "int8", block_size=3), x, [0, 0, np.nan])
    expect(quant_ops.mx(x, block_size=3), x, [0, -0.0, np.nan])


def check(x: tf.Tensor, axis: int, size: int, quantize, one_block):
    """`one_block(values, bits)` is the oracle; both backends must agree with it."""
    bits = oracle_arrays.random_bits31(SEED, COUNTER, int(tf.size(x))).reshape(x.shape)
    values = np.array(to_floats(x))
    pairs = zip(as_blocks(values, axis, size), as_blocks(bits, axis, size), strict=True)
    expected = [one_block(block.tolist(), bits.tolist()) for block, bits in pairs]
    expected = from_blocks(np.array(expected), x.shape, axis)
    for backend in BACKENDS:
        with forced(backend):
            result = quantize(x, block_size=size, axis=axis, seed=SEED, counter=COUNTER)
        expect(result, x, expected, (backend, quantize))


def inputs(dtype: str, size: int, seed: int) -> tuple[tf.Tensor, int]:
    shape, axis = LAYOUTS[size]
    blocks = blocks_of_all_kinds(dtype, np.prod(shape) // size, size, seed)
    return from_bits(from_blocks(blocks, shape, axis), dtype), axis


@pytest.mark.parametrize("scale_rounding", SCALE_ROUNDINGS)
@pytest.mark.parametrize("element", oracle_blocks.ELEMENTS)
def test_mx(element, scale_rounding):
    """Half of the roundings with each dtype, the others with the next; so for elements and scales.
    The block sizes and layouts take turns."""
    turns = itertools.cycle(LAYOUTS)
    turn = [*oracle_blocks.ELEMENTS].index(element) + SCALE_ROUNDINGS.index(scale_rounding)
    cases = list(enumerate(itertools.product(DTYPES, ROUNDINGS)))
    for seed, (dtype, rounding) in cases[turn % 2 :: 2]:
        size = next(turns)
        x, axis = inputs(dtype, size, seed)
        how = {"element": element, "scale_rounding": scale_rounding, "rounding": rounding}
        one_block = functools.partial(oracle_blocks.mx, carrier=oracle.DTYPES[dtype], **how)
        check(
            x, axis, size, functools.partial(quant_ops.mx, **how),
            lambda block, bits, mx=one_block: mx(block, bits31=bits),
        )  # fmt: skip


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("word_bits", [2, 3, 8, 12, 17, 32])
def test_block_float(word_bits, rounding):
    """Two of the dtypes; the next rounding has the others."""
    r = ROUNDINGS.index(rounding)
    turns = itertools.islice(itertools.cycle(LAYOUTS), (word_bits + 2 * r) % 5, None)
    turn = (word_bits + r) % 2
    for seed, dtype in list(enumerate(DTYPES))[turn::2]:
        size = next(turns)
        x, axis = inputs(dtype, size, seed + 100)
        how = {"word_bits": word_bits, "rounding": rounding}
        one_block = functools.partial(
            oracle_blocks.block_float, carrier=oracle.DTYPES[dtype], **how
        )
        check(
            x, axis, size, functools.partial(quant_ops.block_float, **how),
            lambda block, bits, block_float=one_block: block_float(block, bits31=bits),
        )  # fmt: skip


GFLOAT = {
    "float8_e4m3fn": gfloat.formats.format_info_mxfp8_e4m3,
    "float8_e5m2": gfloat.formats.format_info_mxfp8_e5m2,
    "float6_e3m2fn": gfloat.formats.format_info_mxfp6_e3m2,
    "float6_e2m3fn": gfloat.formats.format_info_mxfp6_e2m3,
    "float4_e2m1fn": gfloat.formats.format_info_mxfp4_e2m1,
    "int8": gfloat.formats.format_info_mxint8,
}


@pytest.mark.parametrize("element", GFLOAT)
def test_gfloat(element, backend):
    """Its blocks of 32 with its scale, which is OCP's floor rule."""
    rng = np.random.default_rng(0)
    x = np.ldexp(rng.normal(size=(12, 32)), rng.integers(-60, 60, (12, 1))).astype(np.float32)
    x[3, 5:] = 0
    rounding = gfloat.RoundMode.TiesToEven
    expected = [
        gfloat.quantize_block(GFLOAT[element], block, gfloat.compute_scale_amax, rounding)
        for block in x.astype(np.float64)
    ]
    expect(quant_ops.mx(x, element), tf.constant(x), expected)
