"""scikit-learn's own checks of an estimator, and its tools around ours."""

import warnings

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from tq_halp.linear import LMHALPClassifier, LMHALPRegressor  # noqa: E402

with warnings.catch_warnings():
    # Not to inherit from BaseEstimator "might lead to unexpected behavior": these tests tell.
    warnings.filterwarnings("ignore", "Estimator LMHALP.* does not inherit", UserWarning)
    checks = parametrize_with_checks([LMHALPRegressor(), LMHALPClassifier()])


# The checks' problems include separable classes and random labels, which end after `epochs`; and
# columns as y, about which they want a warning.
@pytest.mark.filterwarnings("ignore::UserWarning")
@checks
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
