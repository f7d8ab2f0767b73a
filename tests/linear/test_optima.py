"""What training finds is the minimum: by the normal equations, by scikit-learn, by the gradient."""

import linear_problems
import numpy as np
import pytest

from tq_halp.linear import LMHALPClassifier, LMHALPRegressor

ARITHMETICS = {
    "halp 8": {"algorithm": "halp", "word_bits": 8},
    "halp 16": {"algorithm": "halp", "word_bits": 16},
    "halp data 16": {"algorithm": "halp", "data_bits": 16},
    "svrg": {"algorithm": "svrg"},
}


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_ridge_by_normal_equations(arithmetic, l2):
    """The error is H⁻¹ times the gradient, whose norm ends below tol times the start's."""
    x, y = linear_problems.regression()
    if ARITHMETICS[arithmetic].get("data_bits") == 16:
        # 32767 is 127 times 258 + 1: all but the largest of each are rounded to 2^-15 or less.
        x = np.rint(x * 16) / 16 * (32767 / 32768)
    tol = 1e-7
    model = LMHALPRegressor(**ARITHMETICS[arithmetic], l2=l2, tol=tol).fit(x, y)
    assert model.stop_reason_ == "tolerance"
    w, b, smallest, start = linear_problems.ridge(x, y, l2)
    allowed = 2 * tol * start / smallest
    if ARITHMETICS[arithmetic].get("data_bits") == 16:
        allowed += 1e-3 * np.linalg.norm(w)
    assert np.linalg.norm([*(model.coef_ - w), model.intercept_ - b]) < allowed


@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_with_sample_weights(algorithm, intercept):
    x, y = linear_problems.regression()
    s = linear_problems.weights_of(len(x))
    model = LMHALPRegressor(algorithm=algorithm, l2=0.1, tol=1e-7, fit_intercept=intercept)
    model.fit(x, y, sample_weight=s)
    w, b, smallest, start = linear_problems.ridge(x, y, 0.1, s, intercept)
    error = np.linalg.norm([*(model.coef_ - w), model.intercept_ - b])
    assert error < 2e-7 * start / smallest
    assert (model.intercept_ != 0) == intercept


@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_per_feature_scales_change_the_way_but_not_the_minimum(algorithm):
    """Columns of 2^-6 to 2^6: their weights, and the penalty, are those of X itself."""
    scales = 2.0 ** np.linspace(-6, 6, 13).round()
    x, y = linear_problems.regression(d=13, column_scales=scales)
    model = LMHALPRegressor(algorithm=algorithm, l2=1e-3, tol=1e-9, feature_scale="per_feature")
    model.fit(x, y)
    assert model.stop_reason_ == "tolerance"
    w, b, *_ = linear_problems.ridge(x, y, 1e-3)
    # In the scaled space all columns are alike: condition and start are below 100, weights
    # v = w / s with s = 1 / (127/16 scale), so an error of 1e-9 * 100 * 100 there at most.
    np.testing.assert_allclose(model.coef_ * scales * 127 / 16, w * scales * 127 / 16, atol=1e-5)
    assert abs(model.intercept_ - b) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_dtypes_find_the_same_minimum(algorithm, dtype):
    draw = np.random.default_rng(0)
    x = draw.integers(0, 128, (500, 6)).astype(dtype)
    x[0, 0] = 127
    y = x @ draw.standard_normal(6) + 10
    # A common offset of all columns makes the condition about 100; float32's gradient ends near
    # 1e-7 of its start.
    model = LMHALPRegressor(algorithm=algorithm, tol=1e-5, epochs=3000, fit_intercept=False)
    model.fit(x, y)
    w, _, smallest, start = linear_problems.ridge(x.astype(float), y, 0.0, intercept=False)
    assert np.linalg.norm(model.coef_ - w) < 2e-5 * start / smallest


@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_of_scikit_learn(classes, algorithm, weighted):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = linear_problems.classification(classes=classes)
    s = linear_problems.weights_of(len(x)) if weighted else None
    l2, total = 0.05, len(x) if s is None else s.sum()
    model = LMHALPClassifier(algorithm=algorithm, l2=l2, tol=1e-6).fit(x, y, sample_weight=s)
    theirs = linear_model.LogisticRegression(C=1 / (l2 * total), tol=1e-10, max_iter=10_000)
    theirs.fit(x, y, sample_weight=s)
    assert model.stop_reason_ == "tolerance"
    assert model.coef_.shape == theirs.coef_.shape
    # Curvature is at least l2 = 0.05, the start's gradient about 2: an error of 1e-6 * 2 / 0.05.
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
    # The intercepts have no penalty; softmax's are defined up to a constant.
    ours, other = model.intercept_, theirs.intercept_
    np.testing.assert_allclose(ours - ours.mean() * (classes > 2), other, atol=1e-3)
    np.testing.assert_allclose(model.predict_proba(x), theirs.predict_proba(x), atol=1e-3)
    assert model.score(x, y, s) == pytest.approx(theirs.score(x, y, s), abs=0.004)


def test_ridge_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = linear_problems.regression()
    theirs = linear_model.Ridge(alpha=0.2 * len(x)).fit(x, y)
    model = LMHALPRegressor(l2=0.2, tol=1e-8).fit(x, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    assert model.score(x, y) == pytest.approx(theirs.score(x, y), abs=1e-6)


def test_data_that_8_bits_do_not_hold():
    """Rounding X to steps of max|X| / 127 adds noise of step²/12 to each column's variance 1: with
    max|X| about 4, 1e-4 of it, so predictions lose a few times that."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((2000, 20))
    y = x @ draw.standard_normal(20) + 0.1 * draw.standard_normal(2000)
    exact = LMHALPRegressor(algorithm="svrg").fit(x, y).score(x, y)
    assert exact - 1e-3 < LMHALPRegressor().fit(x, y).score(x, y) < exact
