"""What holds for every value of binary, ternary and sparse."""

import hypothesis
import numpy as np
import pytest
from carrier_values import BACKENDS
from hypothesis import strategies as st

import quant_ops
from quant_ops.library import forced

VALUES = st.lists(st.floats(width=32, allow_nan=False) | st.floats(-3, 3, width=32), min_size=1)
LEVELS = st.floats(2.0**-140, 2.0**120, width=32)
THRESHOLDS = st.floats(0, 2.0**120) | st.floats(0, 3)
FEW = hypothesis.settings(max_examples=40)


@pytest.fixture(params=BACKENDS, scope="module", autouse=True)
def backend(request):
    with forced(request.param):
        yield


@FEW
@hypothesis.given(VALUES, LEVELS, st.sampled_from(("nearest_up", "stochastic")))
def test_binary(values, level, rounding):
    """Two numbers, idempotent for both roundings, and odd but for zeros."""
    x = np.float32(values)
    result = quant_ops.binary(x, level, rounding=rounding).numpy()
    assert np.isin(result, [-level, level]).all()
    assert (quant_ops.binary(result, level, rounding=rounding, seed=9).numpy() == result).all()
    if rounding == "nearest_up":
        assert (np.diff(quant_ops.binary(np.sort(x), level)) >= 0).all()
        nonzero = x[x != 0]
        assert (quant_ops.binary(-nonzero, level).numpy() == -result[x != 0]).all()


@FEW
@hypothesis.given(VALUES, LEVELS, THRESHOLDS)
def test_ternary(values, level, threshold):
    x = np.float32(values)
    result = quant_ops.ternary(x, level, threshold).numpy()
    assert ((np.sign(result) == np.sign(x)) == (np.abs(np.float64(x)) > threshold))[x != 0].all()
    assert np.isin(result, [-level, 0, level]).all()
    assert (quant_ops.ternary(-x, level, threshold).numpy() == -result).all()
    assert (np.diff(quant_ops.ternary(np.sort(x), level, threshold)) >= 0).all()
    if level > threshold:
        assert (quant_ops.ternary(result, level, threshold).numpy() == result).all()


@FEW
@hypothesis.given(VALUES, LEVELS)
def test_ternary_is_idempotent_with_its_own_threshold(values, level):
    """0.7 times the mean of zeros and levels is below the level."""
    result = quant_ops.ternary(np.float32(values), level)
    assert (quant_ops.ternary(result, level).numpy() == result.numpy()).all()


@FEW
@hypothesis.given(VALUES, THRESHOLDS)
def test_sparse(values, threshold):
    x = np.float32(values)
    result = quant_ops.sparse(x, threshold).numpy()
    assert ((result == x) | (result == 0)).all()
    assert (np.abs(np.float64(x[result == 0])) <= threshold).all()
    assert (quant_ops.sparse(result, threshold).numpy() == result).all()
    assert (quant_ops.sparse(-x, threshold).numpy() == -result).all()
    assert (np.diff(quant_ops.sparse(np.sort(x[np.isfinite(x)]), threshold)) >= 0).all()
