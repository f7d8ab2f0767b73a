"""float32 near the end of its range: no bit of such numbers is lost."""

import linear_problems
import numpy as np
import pytest

from tq_halp.linear import LMHALPClassifier, LMHALPRegressor

ALGORITHMS = pytest.mark.parametrize("algorithm", ["halp", "svrg"])
# Larger than what is sorted by its bytes: the batches are the same for either type.
WIDE = linear_problems.regression(n=3000, d=8)


def same_as_float64(x, y, **options):
    """The fit of float32 X is that of the same numbers in float64, whose score it returns: to the
    last bit where both become the same integers, else to float32's precision."""
    small = x.astype(np.float32)
    ours = LMHALPRegressor(**options).fit(small, y)
    theirs = LMHALPRegressor(**options).fit(small.astype(np.float64), y)
    tolerance = 0 if ours.algorithm == "halp" else 1e-5 * np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=tolerance)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=0 if tolerance == 0 else 1e-5)
    return ours.score(small, y)


@ALGORITHMS
@pytest.mark.parametrize("feature_scale", ["per_tensor", "per_feature"])
@pytest.mark.parametrize("exponent", [-123, -126, -135])
def test_float32_whose_bits_run_out(algorithm, feature_scale, exponent):
    x, y = WIDE
    options = {"algorithm": algorithm, "feature_scale": feature_scale, "data_bits": 16}
    found = same_as_float64(x * 2.0**exponent, y, **options)
    # Multiples of 1/16: of them 2^-149 holds all that is left.
    assert found == pytest.approx(LMHALPRegressor(**options).fit(x, y).score(x, y), abs=1e-5)


@ALGORITHMS
def test_a_column_of_float32_whose_bits_run_out(algorithm):
    x, y = WIDE
    scales = np.where(np.arange(8) == 3, 2.0**-130, 1.0)
    options = {"algorithm": algorithm, "feature_scale": "per_feature", "data_bits": 16}
    found = same_as_float64(x * scales, y, **options)
    assert found == pytest.approx(LMHALPRegressor(**options).fit(x, y).score(x, y), abs=1e-5)


@ALGORITHMS
def test_what_centring_leaves_may_be_as_small(algorithm):
    x, y = WIDE
    small = ((1 + x * 2.0**-19) * 2.0**-104).astype(np.float32)  # exact: 23 bits
    found = LMHALPRegressor(algorithm=algorithm).fit(small, y)
    assert found.score(small, y) == pytest.approx(
        LMHALPRegressor(algorithm=algorithm).fit(x, y).score(x, y), abs=1e-4
    )


def test_classes_from_float32_whose_bits_run_out():
    x, y = WIDE
    labels = y > np.median(y)
    model = LMHALPClassifier(data_bits=16, feature_scale="per_feature")
    expected = model.fit(x, labels).score(x, labels)
    small = (x * 2.0**-130).astype(np.float32)
    assert model.fit(small, labels).score(small, labels) == pytest.approx(expected, abs=2e-3)
