"""What holds for every value and format."""

import hypothesis
import numpy as np
import pytest
from carrier_values import BACKENDS, DETERMINISTIC, ROUNDINGS
from hypothesis import strategies as st

import quant_ops
from quant_ops.library import forced

FLOATS = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50
)
NEAR = st.lists(st.floats(-600, 600, width=32), min_size=1, max_size=50)
WORDS, FRACS = st.integers(1, 24), st.integers(-20, 20)
ROUNDING = st.sampled_from(ROUNDINGS)
FEW = hypothesis.settings(max_examples=40)


@pytest.fixture(params=BACKENDS, scope="module", autouse=True)
def backend(request):
    with forced(request.param):
        yield


@FEW
@hypothesis.given(FLOATS | NEAR, WORDS, FRACS, st.booleans(), ROUNDING)
def test_on_the_grid_and_idempotent(values, word_bits, frac_bits, signed, rounding):
    how = {"signed": signed, "rounding": rounding}
    result = quant_ops.fixed_point(np.float32(values), word_bits, frac_bits, **how)
    steps = np.float64(result) * 2.0**frac_bits
    low, high = (
        (-(2.0 ** (word_bits - 1)), 2.0 ** (word_bits - 1) - 1)
        if signed
        else (0, 2.0**word_bits - 1)
    )
    assert (steps == np.rint(steps)).all()
    assert ((low <= steps) & (steps <= high)).all()
    again = quant_ops.fixed_point(result, word_bits, frac_bits, seed=9, **how)
    assert (again.numpy() == result.numpy()).all()


@FEW
@hypothesis.given(FLOATS | NEAR, WORDS, FRACS, st.sampled_from(DETERMINISTIC))
def test_monotone(values, word_bits, frac_bits, rounding):
    x = np.sort(np.float32(values))
    result = quant_ops.fixed_point(x, word_bits, frac_bits, rounding=rounding).numpy()
    assert (np.diff(result) >= 0).all()


@FEW
@hypothesis.given(NEAR, st.integers(-3, 12), ROUNDING)
def test_error_is_within_a_step_or_half_of_one(values, frac_bits, rounding):
    x = np.float32(values)
    result = quant_ops.fixed_point(x, 32, frac_bits, rounding=rounding).numpy()
    error = (np.float64(result) - x) * 2.0**frac_bits
    low, high = {"down": (-1, 0), "up": (0, 1)}.get(rounding, (-1, 1))
    if rounding.startswith("nearest"):
        low, high = -0.5, 0.5
    if rounding == "toward_zero":
        assert (np.abs(result) <= np.abs(x)).all()
    assert ((low <= error) & (error <= high)).all()


@FEW
@hypothesis.given(FLOATS | NEAR, st.floats(-30, 30), st.integers(1, 40), ROUNDING, st.integers())
def test_scaled_integer_is_idempotent(values, exponent, word_bits, rounding, seed):
    """Although fl(k * scale) / scale need not be k."""
    scale, seed = np.float32(10.0**exponent), seed % (1 << 63)
    how = {"rounding": rounding, "seed": seed}
    result = quant_ops.scaled_integer(np.float32(values), scale, word_bits, **how)
    again = quant_ops.scaled_integer(result, scale, word_bits, counter=1, **how)
    assert (again.numpy() == result.numpy()).all()


@FEW
@hypothesis.given(NEAR, st.floats(0.5, 2.0, width=32), st.integers(2, 24), ROUNDING)
def test_scaled_integer_is_on_the_grid(values, scale, word_bits, rounding):
    result = quant_ops.scaled_integer(
        np.float64(values), np.float64(scale), word_bits, rounding=rounding
    )
    steps = np.rint(result.numpy() / scale)
    assert (steps * scale == result.numpy()).all()
    assert ((-(2.0 ** (word_bits - 1)) <= steps) & (steps < 2.0 ** (word_bits - 1))).all()


@FEW
@hypothesis.given(NEAR, st.integers(2, 12), st.integers(-2, 4), ROUNDING)
def test_wrap_differs_by_whole_turns(values, word_bits, frac_bits, rounding):
    x = np.float64(values)
    how = {"rounding": rounding, "seed": 4}
    free = quant_ops.fixed_point(x, 50, frac_bits, **how).numpy()
    wrapped = quant_ops.fixed_point(x, word_bits, frac_bits, overflow="wrap", **how).numpy()
    turns = (free - wrapped) * 2.0 ** (frac_bits - word_bits)
    assert (turns == np.rint(turns)).all()
