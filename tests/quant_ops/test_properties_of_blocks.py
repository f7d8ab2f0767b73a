"""What holds for every block of block_float and mx; and where idempotence ends."""

import hypothesis
import numpy as np
import oracle_blocks
import pytest
import tensorflow as tf
from carrier_values import BACKENDS, DETERMINISTIC, ROUNDINGS
from hypothesis import strategies as st
from quantization_oracle import DTYPES, Fraction

import quant_ops
from quant_ops.library import forced

ROUNDING, FEW = st.sampled_from(ROUNDINGS), hypothesis.settings(max_examples=40)
SYMMETRIC = st.sampled_from(("nearest_even", "nearest_away", "toward_zero", "stochastic"))
# Without the two topmost exponents of float32, where its own limit comes in.
VALUES = st.floats(-(2.0**125), 2.0**125, width=32) | st.floats(-40, 40, width=32)
FLOAT32 = DTYPES["float32"]
BLOCK = st.lists(VALUES, min_size=1, max_size=20)


@pytest.fixture(params=BACKENDS, scope="module", autouse=True)
def backend(request):
    with forced(request.param):
        yield


@st.composite
def integer_blocks(draw):
    """(quantize one block, its element, the exponent of its scale)."""
    word_bits = draw(st.integers(2, 24))

    def quantize(x, rounding, seed=0):
        how = {"block_size": len(x), "rounding": rounding, "seed": seed}
        return quant_ops.block_float(x, word_bits, **how).numpy()

    def scale(amax):
        return oracle_blocks.floor_log2(amax)

    return quantize, oracle_blocks.IntegerElement(word_bits), scale


@st.composite
def mx_blocks(draw, elements=tuple(oracle_blocks.ELEMENTS), scales=("floor", "ceil", "rceil")):
    element, scale_rounding = draw(st.sampled_from(elements)), draw(st.sampled_from(scales))

    def quantize(x, rounding, seed=0):
        how = {"block_size": len(x), "rounding": rounding, "seed": seed}
        return quant_ops.mx(x, element, scale_rounding=scale_rounding, **how).numpy()

    def scale(amax):
        exponent = oracle_blocks.shared_exponent(amax, kind, scale_rounding)
        return max(-127, min(127, exponent))

    kind = oracle_blocks.ELEMENTS[element]
    return quantize, kind, scale


ALL_SCALES = ("floor", "ceil", "rceil", "even")
FLOATS = tuple(name for name in oracle_blocks.ELEMENTS if name != "int8")
FORMATS = integer_blocks() | mx_blocks(scales=ALL_SCALES)


@FEW
@hypothesis.given(FORMATS, BLOCK, ROUNDING)
def test_on_the_grid_and_within_a_step_or_half_of_one(format, values, rounding):
    quantize, element, scale = format
    x = np.float32(values)
    amax = oracle_blocks.largest(x.tolist(), FLOAT32)
    if not amax:
        return
    unit, (low, high) = Fraction(2) ** scale(amax), element.limits()
    for given, result in zip(x.tolist(), quantize(x, rounding).tolist(), strict=True):
        given, result = Fraction(given) / unit, Fraction(result) / unit
        assert low <= result <= high
        assert element.round(result, "toward_zero", 0) == result
        if low <= given <= high:
            above, below = element.round(given, "up", 0), element.round(given, "down", 0)
            nearest = rounding.startswith("nearest")
            assert result in (below, above) or result == min(above, high)
            assert not nearest or abs(result - given) <= (above - below) / 2
            assert rounding != "toward_zero" or abs(result) <= abs(given)
            assert rounding != "down" or result <= given
            assert rounding != "up" or result >= given


@FEW
@hypothesis.given(FORMATS, BLOCK, st.sampled_from(DETERMINISTIC))
def test_monotone_within_a_block(format, values, rounding):
    quantize, *_ = format
    assert (np.diff(quantize(np.sort(np.float32(values)), rounding)) >= 0).all()


@FEW
@hypothesis.given(FORMATS, BLOCK, SYMMETRIC)
def test_symmetric(format, values, rounding):
    quantize, *_ = format
    x = np.float32(values)
    assert (quantize(-x, rounding) == -quantize(x, rounding)).all()


@FEW
@hypothesis.given(
    integer_blocks() | mx_blocks(scales=ALL_SCALES),
    st.lists(st.floats(-40, 40, width=16), min_size=1, max_size=20),
    st.integers(-60, 60),
    ROUNDING,
)
def test_a_power_of_two_passes_through(format, values, exponent, rounding):
    """q(2^n x) = 2^n q(x), while the scale stays within E8M0."""
    quantize, *_ = format
    x = np.float32(values)
    scaled = quantize(np.ldexp(x, exponent), rounding)
    assert (scaled == np.ldexp(quantize(x, rounding), exponent)).all()


@FEW
@hypothesis.given(
    integer_blocks() | mx_blocks(("int8",), ALL_SCALES) | mx_blocks(FLOATS), BLOCK, ROUNDING
)
def test_idempotent(format, values, rounding):
    """Integers, and float elements under floor, ceil and rceil. A second pass finds a scale that is
    no larger, and so a grid that holds every number of the first, and amax within its limits."""
    quantize, *_ = format
    result = quantize(np.float32(values), rounding)
    assert (quantize(result, rounding, seed=9) == result).all()


@FEW
@hypothesis.given(
    mx_blocks(FLOATS, ("even",)), BLOCK, st.sampled_from(("nearest_even", "nearest_away"))
)
def test_idempotent_under_even(format, values, rounding):
    """What "even" gives room to be rounded up to 2^(emax + 1) is rounded up to it."""
    quantize, *_ = format
    result = quantize(np.float32(values), rounding)
    assert (quantize(result, rounding, seed=9) == result).all()


@FEW
@hypothesis.given(mx_blocks(FLOATS[1:], ("even",)), BLOCK, ROUNDING)
def test_idempotent_under_even_with_a_full_largest_significand(format, values, rounding):
    """All but float8_e4m3fn hold (2 - 2^-m) 2^emax, the number just below 2^(emax + 1)."""
    quantize, *_ = format
    result = quantize(np.float32(values), rounding)
    assert (quantize(result, rounding, seed=9) == result).all()


def test_where_idempotence_ends():
    """The smallest example of what the tests above leave out."""
    x, how = tf.constant([496.0]), {"scale_rounding": "even", "rounding": "toward_zero"}
    once = quant_ops.mx(x, block_size=1, **how)
    assert once.numpy() == 480  # X = 2
    assert quant_ops.mx(once, block_size=1, **how).numpy() == 448  # X = 1
