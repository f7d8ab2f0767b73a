"""What holds for every value and format of minifloat and power_of_two."""

import hypothesis
import numpy as np
import oracle_floats
import pytest
from carrier_values import BACKENDS, DETERMINISTIC, ROUNDINGS
from hypothesis import strategies as st
from quantization_oracle import Fraction

import quant_ops
from quant_ops.library import forced

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = st.lists(FLOATS | st.floats(-40, 40, width=32), min_size=1, max_size=30)
ROUNDING, FEW = st.sampled_from(ROUNDINGS), hypothesis.settings(max_examples=40)


@pytest.fixture(params=BACKENDS, scope="module", autouse=True)
def backend(request):
    with forced(request.param):
        yield


@st.composite
def minifloats(draw):
    """(quantize, grid) of a minifloat; float32 holds all of its numbers."""
    e, m = draw(st.integers(2, 7)), draw(st.integers(0, 12))
    specials = draw(st.sampled_from(("ieee", "nan", "fnuz", "none")))
    subnormals = draw(st.booleans())
    grid = oracle_floats.minifloat_grid(e, m, specials, None, subnormals)

    def quantize(x, rounding="nearest_even", seed=0):
        return quant_ops.minifloat(
            x, e, m, specials=specials, subnormals=subnormals, rounding=rounding, seed=seed
        ).numpy()

    return quantize, grid


@st.composite
def powers_of_two(draw):
    low = draw(st.integers(-126, 127))
    high = draw(st.integers(low, 127))

    def quantize(x, rounding="nearest_even", seed=0):
        return quant_ops.power_of_two(x, low, high, rounding=rounding, seed=seed).numpy()

    return quantize, oracle_floats.power_of_two_grid(low, high)


FORMATS = minifloats() | powers_of_two()


@FEW
@hypothesis.given(FORMATS, VALUES, ROUNDING)
def test_on_the_grid_and_idempotent(format, values, rounding):
    quantize, grid = format
    result = quantize(np.float32(values), rounding)
    for number in map(Fraction, np.abs(result).tolist()):
        assert number <= grid.largest
        assert number == 0 or number % grid.step(number) == 0
    assert (quantize(result, rounding, seed=9) == result).all()


@FEW
@hypothesis.given(FORMATS, VALUES, st.sampled_from(DETERMINISTIC))
def test_monotone(format, values, rounding):
    quantize, _ = format
    assert (np.diff(quantize(np.sort(np.float32(values)), rounding)) >= 0).all()


@FEW
@hypothesis.given(FORMATS, VALUES, ROUNDING)
def test_error_is_within_a_step_or_half_of_one(format, values, rounding):
    quantize, grid = format
    x = np.float32(values)
    for given, result in zip(x.tolist(), quantize(x, rounding).tolist(), strict=True):
        if 0 < abs(given) <= grid.largest:
            error = (Fraction(result) - Fraction(given)) / grid.step(abs(Fraction(given)))
            low, high = {"down": (-1, 0), "up": (0, 1)}.get(rounding, (-1, 1))
            if rounding.startswith("nearest"):
                low, high = Fraction(-1, 2), Fraction(1, 2)
            assert low <= error <= high
            assert rounding != "toward_zero" or abs(result) <= abs(given)


@FEW
@hypothesis.given(FORMATS, VALUES)
def test_symmetric(format, values):
    """-0 and +0 are equal here: "fnuz" and powers of two have only +0."""
    quantize, _ = format
    x = np.float32(values)
    for rounding, mirrored in (
        ("nearest_even", "nearest_even"),
        ("nearest_away", "nearest_away"),
        ("toward_zero", "toward_zero"),
        ("stochastic", "stochastic"),
        ("down", "up"),
    ):
        assert (quantize(-x, mirrored) == -quantize(x, rounding)).all(), rounding


@FEW
@hypothesis.given(VALUES, ROUNDING)
def test_a_format_as_wide_as_the_dtype_changes_nothing(values, rounding):
    x = np.float32(values)
    assert (quant_ops.minifloat(x, 8, 23, rounding=rounding).numpy() == x).all()


@FEW
@hypothesis.given(VALUES, st.integers(2, 23))
def test_truncation_may_take_two_steps(values, mantissa_bits):
    x, how = np.float32(values), {"rounding": "toward_zero"}
    by_way_of_more = quant_ops.minifloat(x, 8, mantissa_bits, **how)
    result = quant_ops.minifloat(by_way_of_more, 5, 2, **how)
    assert (result.numpy() == quant_ops.minifloat(x, 5, 2, **how).numpy()).all()
