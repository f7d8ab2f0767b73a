"""Training that goes on from the last fit: any other parameter, the same kind of data."""

import warnings

import linear_problems
import numpy as np
import pytest

from tq_halp.errors import InputError
from tq_halp.linear import ConvergenceWarning, LMHALPClassifier, LMHALPRegressor

X, Y = linear_problems.regression(n=3000, d=6)
LABELS = np.digitize(Y, np.quantile(Y, [0.3, 0.75]))
ALGORITHMS = pytest.mark.parametrize("algorithm", ["halp", "svrg"])
ESTIMATORS = pytest.mark.parametrize(
    "estimator, y", [(LMHALPRegressor, Y + 1e4), (LMHALPClassifier, LABELS)]
)


@ALGORITHMS
@ESTIMATORS
def test_many_short_fits_are_as_good_as_one(estimator, y, algorithm):
    """As scikit-learn #10000 asks: not the same batches again and again."""
    one = estimator(algorithm=algorithm, epochs=30, tol=0, l2=0.01).fit(X, y)
    many = estimator(algorithm=algorithm, epochs=1, tol=0, l2=0.01, warm_start=True)
    for _ in range(30):
        many.fit(X, y)
    # Each fit learns its scale and rate anew: slower, but to the same point.
    np.testing.assert_allclose(many.coef_, one.coef_, atol=5e-3)
    np.testing.assert_allclose(many.predict(X)[:50], one.predict(X)[:50], rtol=1e-3)
    assert many.history_[-1]["loss"] == pytest.approx(one.history_[-1]["loss"], rel=1e-4)


@ALGORITHMS
@ESTIMATORS
@pytest.mark.parametrize(
    "changed",
    [
        {"l2": 1.0},
        {"fit_intercept": False},
        {"feature_scale": "per_feature"},
        {"algorithm": "svrg"},
        {"word_bits": 16, "data_bits": 16},
        {"batch_size": 7},
        {"tol": 1e-7},
    ],
)
def test_any_parameter_may_change(estimator, y, algorithm, changed):
    """What is found is what a fresh fit finds."""
    options = {"algorithm": algorithm, "l2": 0.01, "tol": 1e-6, "epochs": 3000}
    warm = estimator(warm_start=True, **options).fit(X, y).set_params(**changed).fit(X, y)
    fresh = estimator(**(options | changed)).fit(X, y)
    assert warm.stop_reason_ == fresh.stop_reason_ == "tolerance"
    size = np.abs(fresh.coef_).max()
    np.testing.assert_allclose(warm.coef_, fresh.coef_, atol=1e-3 * size)
    np.testing.assert_allclose(warm.predict(X[:5]), fresh.predict(X[:5]), rtol=1e-3)


@ALGORITHMS
def test_an_intercept_that_was_not_there(algorithm):
    warm = LMHALPRegressor(algorithm=algorithm, fit_intercept=False, warm_start=True)
    warm.fit(X, Y + 50).set_params(fit_intercept=True).fit(X, Y + 50)
    assert warm.score(X, Y + 50) == pytest.approx(LMHALPRegressor().fit(X, Y).score(X, Y), abs=1e-4)


@ALGORITHMS
@ESTIMATORS
def test_other_data_of_the_same_kind(estimator, y, algorithm):
    """In other units, far from 0, in another type: coef_ and intercept_ are those of X and y."""
    warm = estimator(algorithm=algorithm, warm_start=True, l2=0.001).fit(X, y)
    for x in (X[:1000], 64 * X, X + 1000.0, X.astype(np.float32), X / 2.0**60, X * 2.0**60):
        fresh = estimator(algorithm=algorithm, l2=0.001).fit(x, y[: len(x)])
        warm.fit(x, y[: len(x)])
        np.testing.assert_allclose(warm.coef_, fresh.coef_, atol=2e-3 * np.abs(fresh.coef_).max())


def test_a_last_fit_that_is_worse_than_none():
    """64 times the weights would be a start where every probability is 0 or 1."""
    fresh = LMHALPClassifier(l2=0.001).fit(64 * X, LABELS)
    warm = LMHALPClassifier(warm_start=True, l2=0.001).fit(X, LABELS).fit(64 * X, LABELS)
    np.testing.assert_array_equal(warm.coef_, fresh.coef_)
    assert warm.start_["loss"] == fresh.start_["loss"]


@ALGORITHMS
@ESTIMATORS
def test_a_fit_that_is_done_is_left_alone(estimator, y, algorithm):
    model = estimator(algorithm=algorithm, warm_start=True, l2=0.01, tol=1e-4).fit(X, y)
    coefficients, intercepts = model.coef_, model.intercept_
    assert model.fit(X, y).n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, coefficients, atol=1e-3)
    np.testing.assert_allclose(model.intercept_, intercepts, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    "labels",
    [LABELS + 1, np.minimum(LABELS, 1), LABELS.astype(str), np.where(LABELS == 2, 5, LABELS)],
)
def test_other_classes_are_refused(labels):
    """As scikit-learn #10657 and #10658 do not."""
    model = LMHALPClassifier(warm_start=True, epochs=2, tol=0).fit(X, LABELS)
    coefficients = model.coef_
    with pytest.raises(
        InputError, match=r"warm_start needs the classes of the last fit, \[0, 1, 2\]"
    ):
        model.fit(X, labels)
    assert model.coef_ is coefficients
    model.set_params(warm_start=False).fit(X, labels)
    assert len(model.classes_) == len(np.unique(labels))


def test_weights_that_are_not_finite_are_refused():
    model = LMHALPRegressor(warm_start=True).fit(X, Y)
    model.coef_ = np.full(6, np.nan)
    with pytest.raises(InputError, match="warm_start continues from coef_ and intercept_, which"):
        model.fit(X, Y)


def test_there_is_no_partial_fit():
    assert not hasattr(LMHALPRegressor(), "partial_fit")
    assert not hasattr(LMHALPClassifier(), "partial_fit")


@ALGORITHMS
def test_no_progress_above_the_tolerance_is_told(algorithm):
    model = LMHALPRegressor(algorithm=algorithm, tol=1e-18, epochs=3000)
    with pytest.warns(ConvergenceWarning, match=r"the last 10 without progress, with a gradient"):
        model.fit(X, Y)
    assert model.stop_reason_ == "no_progress"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LMHALPRegressor(algorithm="sgd", epochs=300).fit(X, Y)  # which ends at a floor
