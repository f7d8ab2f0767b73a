"""Targets and features of any magnitude, far from 0, constant: the answers of scikit-learn, and
those of the same problem in ordinary units."""

import linear_problems
import numpy as np
import pytest

from quant_ops.linear import survey
from tq_halp.errors import InputError
from tq_halp.linear import DataConversionWarning, LMHALPClassifier, LMHALPRegressor
from tq_halp.linear.known_columns import centred

linear_model = pytest.importorskip("sklearn.linear_model")

X, Y = linear_problems.regression(n=400, d=6)
LABELS = np.digitize(Y, np.quantile(Y, [0.3, 0.75]))
ALGORITHMS = pytest.mark.parametrize("algorithm", ["halp", "svrg"])


def ridge_score(x, y, weights=None, **options):
    options = {"alpha": 1e-12 * np.var(x), "solver": "svd"} | options
    return linear_model.Ridge(**options).fit(x, y, weights).score(x, y, weights)


@ALGORITHMS
@pytest.mark.parametrize("offset", [1e3, -1e6, 1e9])
def test_targets_far_from_zero(algorithm, offset):
    """Only the intercept changes: exactly, for an offset that rounds no target."""
    y = np.rint(Y * 1024) / 1024
    near = LMHALPRegressor(algorithm=algorithm).fit(X, y)
    far = LMHALPRegressor(algorithm=algorithm).fit(X, y + offset)
    assert near.stop_reason_ == far.stop_reason_ == "tolerance"
    assert far.score(X, y + offset) == pytest.approx(ridge_score(X, y), abs=1e-6)
    # The mean itself is rounded.
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-6)
    assert far.intercept_ - offset == pytest.approx(near.intercept_, abs=1e-6)


@ALGORITHMS
@pytest.mark.parametrize("weighted", [False, True])
def test_the_start_is_the_mean(algorithm, weighted):
    weights = linear_problems.weights_of(len(Y)) if weighted else None
    model = LMHALPRegressor(algorithm=algorithm, epochs=1, tol=0).fit(X, Y + 1e4, weights)
    mean = np.average(Y, weights=weights)
    variance = np.average((Y - mean) ** 2, weights=weights)
    assert model.start_["loss"] == pytest.approx(variance / 2, rel=1e-6)
    p = np.full(len(Y), 1 / len(Y)) if weights is None else weights / weights.sum()
    slope = (p * (Y - mean)) @ X
    assert model.start_["gradient_norm"] == pytest.approx(np.linalg.norm(slope), rel=0.02)


@ALGORITHMS
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_start_from_the_shares(algorithm, classes):
    labels = np.minimum(LABELS, classes - 1)
    weights = linear_problems.weights_of(len(labels))
    model = LMHALPClassifier(algorithm=algorithm, epochs=1, tol=0).fit(X, labels, weights)
    p = np.bincount(labels, weights) / weights.sum()
    entropy = -np.sum(p * np.log(p))
    assert model.start_["loss"] == pytest.approx(entropy, rel=1e-3)


@ALGORITHMS
@pytest.mark.parametrize("exponent", [-1000, -400, -99, 99, 400, 490])
def test_targets_of_any_magnitude(algorithm, exponent):
    """Powers of two change exponents alone."""
    plain = LMHALPRegressor(algorithm=algorithm).fit(X, Y)
    scaled = LMHALPRegressor(algorithm=algorithm).fit(X, np.ldexp(Y, exponent))
    np.testing.assert_array_equal(scaled.coef_, np.ldexp(plain.coef_, exponent))
    assert scaled.intercept_ == np.ldexp(plain.intercept_, exponent)
    assert (scaled.n_iter_, scaled.stop_reason_) == (plain.n_iter_, plain.stop_reason_)
    if abs(exponent) < 500:
        for ours, other in zip(plain.history_, scaled.history_, strict=True):
            assert other["loss"] == np.ldexp(ours["loss"], 2 * exponent)
            assert other["gradient_norm"] == np.ldexp(ours["gradient_norm"], exponent)
            assert other["scale"] == np.ldexp(ours["scale"], exponent)


@ALGORITHMS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", [-110, -60, 60, 110])
@pytest.mark.parametrize("estimator", [LMHALPRegressor, LMHALPClassifier])
def test_features_of_any_magnitude(algorithm, dtype, exponent, estimator):
    """1e-33 to 1e33, with a penalty in the same units: weights are those of X near 1, divided."""
    x, y = linear_problems.regression(n=3000, d=6)  # which are not sorted, by their bytes
    x, y = x.astype(dtype), y if estimator is LMHALPRegressor else np.digitize(y, [-5, 9])
    scaled_x = np.ldexp(x, exponent)
    options = {"algorithm": algorithm, "mu": 2.0, "epochs": 10, "tol": 0}
    for rate in ("auto", 2.0**-8):
        plain = estimator(l2=2.0**-6, learning_rate=rate, **options).fit(x, y)
        theirs = rate if rate == "auto" else np.ldexp(rate, -2 * exponent)
        options["mu"] = np.ldexp(2.0, 2 * exponent)
        scaled = estimator(l2=np.ldexp(2.0**-6, 2 * exponent), learning_rate=theirs, **options)
        scaled.fit(scaled_x, y)
        options["mu"] = 2.0
        np.testing.assert_allclose(scaled.coef_, np.ldexp(plain.coef_, -exponent), rtol=1e-12)
        np.testing.assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-12)
        assert (scaled.n_iter_, scaled.stop_reason_) == (plain.n_iter_, plain.stop_reason_)
        first, other = plain.history_[0], scaled.history_[0]
        assert other["gradient_norm"] == pytest.approx(np.ldexp(first["gradient_norm"], exponent))
        assert other["scale"] == pytest.approx(np.ldexp(first["scale"], -exponent))
        rates = np.ldexp(first["learning_rate"], -2 * exponent)
        assert other["learning_rate"] == pytest.approx(rates)
        assert other["mu"] == (first["mu"] and pytest.approx(np.ldexp(first["mu"], 2 * exponent)))


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_features_without_squares(factor):
    with pytest.raises(InputError, match="whose squares can be added, (divide|multiply)"):
        LMHALPRegressor().fit(X * factor, Y)


def test_targets_without_squares():
    with pytest.raises(InputError, match="y must have magnitudes whose squares can be added"):
        LMHALPRegressor().fit(X, Y * 1e151)


@pytest.mark.parametrize("name, factor", [("learning_rate", 1e60), ("mu", 1e-60)])
def test_parameters_that_cannot_suit(name, factor):
    with pytest.raises(InputError, match=f"{name} must suit the magnitudes of X and y"):
        LMHALPRegressor(**{name: 1e300}).fit(X * factor, Y)


@ALGORITHMS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ratio", [1e2, 1e4, 1e6])
def test_features_far_from_zero(algorithm, dtype, ratio):
    """Ratios of mean and deviation at which 8 bits, or float32, hold nothing of the variation."""
    x = (X + ratio * X.std() * np.array([1, -1, 0, 1, 1, -1])).astype(dtype)
    model = LMHALPRegressor(algorithm=algorithm).fit(x, Y)
    assert model.stop_reason_ == "tolerance"
    expected = ridge_score(x.astype(float), Y)
    assert model.score(x, Y) == pytest.approx(expected, abs=1e-3)
    classifier = LMHALPClassifier(algorithm=algorithm, l2=0.01).fit(x, LABELS)
    theirs = linear_model.LogisticRegression(C=100 / len(x), max_iter=10_000)
    near = x.astype(float) - x.astype(float).mean(axis=0)
    probabilities = theirs.fit(near, LABELS).predict_proba(near)
    np.testing.assert_allclose(classifier.predict_proba(x), probabilities, atol=0.03)


def test_uint8_far_from_zero():
    draw = np.random.default_rng(0)
    x = (draw.integers(0, 8, (500, 3)) + 240).astype(np.uint8)
    y = x @ np.array([1.0, -2.0, 0.5])
    assert LMHALPRegressor().fit(x, y).score(x, y) == pytest.approx(1, abs=1e-3)


def centre_of(x, weights):
    return centred(survey(x), x, weights).centre


@pytest.mark.parametrize("weights", [None, "some"])
def test_centre(weights):
    s = None if weights is None else linear_problems.weights_of(len(X))
    columns = [X[:, 0], X[:, 0] + 1e3, np.full(len(X), -7.1), np.zeros(len(X)), X[:, 1] + 5.0]
    x = np.column_stack(columns)
    mean = np.average(x[:, 1], weights=s)
    np.testing.assert_allclose(centre_of(x, s), [0, mean, -7.1, 0, 0], rtol=1e-14)
    assert centre_of(x, s)[2] == -7.1
    assert centre_of(X, s) is None
    # Rare values do not hide in rows that are not looked at first.
    x = np.ones((10_000, 2))
    x[17, 1] = 0.0
    np.testing.assert_array_equal(centre_of(x, None), [1, 0])


@ALGORITHMS
@pytest.mark.parametrize("value", [0.1, -1e6, 1e-30, 1e30, 0.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_constant_targets(algorithm, value, weighted):
    y = np.full(len(X), value)
    weights = linear_problems.weights_of(len(X)) if weighted else None
    model = LMHALPRegressor(algorithm=algorithm).fit(X, y, weights)
    assert (model.n_iter_, model.stop_reason_) == (0, "tolerance")
    np.testing.assert_array_equal(model.predict(X), y)
    assert model.score(X, y) == 1.0


@ALGORITHMS
@pytest.mark.parametrize("classes", [2, 3])
def test_features_that_tell_nothing(algorithm, classes):
    """The start is the optimum, to rounding, and is told to be."""
    labels = np.minimum(LABELS, classes - 1)
    model = LMHALPClassifier(algorithm=algorithm).fit(np.ones((len(X), 3)), labels)
    shares = np.bincount(labels) / len(labels)
    np.testing.assert_allclose(model.predict_proba(np.ones((1, 3)))[0], shares, atol=1e-4)
    assert model.stop_reason_ == "tolerance"


@ALGORITHMS
@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e-5, 1e300, 1e308])
def test_weights_of_any_magnitude(algorithm, unit):
    s = linear_problems.weights_of(len(X)) / 4
    y = Y + 1e5
    model = LMHALPRegressor(algorithm=algorithm).fit(X, y, sample_weight=s * unit)
    plain = LMHALPRegressor(algorithm=algorithm).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-3)
    assert model.score(X, y, s * unit) == pytest.approx(plain.score(X, y, s), abs=1e-3)


@ALGORITHMS
def test_weights_of_all_magnitudes(algorithm):
    """Those of 1e-9 and less count for nothing beside the others."""
    s = np.random.default_rng(2).choice([0.0, 1e-300, 1e-30, 1.0, 3.0], len(X))
    y = np.where(s < 0.5, 1e3, Y)
    model = LMHALPRegressor(algorithm=algorithm).fit(X, y, s)
    kept = s > 0.5
    alone = LMHALPRegressor(algorithm=algorithm, tol=1e-7).fit(X[kept], y[kept], s[kept])
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-3)


@ALGORITHMS
@pytest.mark.parametrize("l2", [0.0, 1e-3, 10.0])
def test_columns_of_very_different_magnitudes(algorithm, l2):
    """With per_feature, 1e-9 to 1e9 beside each other: what Ridge predicts."""
    x = X * 10.0 ** np.array([-9, -3, 0, 0, 3, 9])
    y = X @ np.ones(6) + 7
    model = LMHALPRegressor(algorithm=algorithm, l2=l2, feature_scale="per_feature").fit(x, y)
    expected = ridge_score(x, y, alpha=max(l2 * len(x), 1e-30), solver="svd" if l2 else "lsqr")
    w, b, *_ = linear_problems.ridge(X, y, 0)
    if l2:
        assert model.score(x, y) == pytest.approx(expected, abs=2e-3)
    else:
        assert model.score(x, y) == pytest.approx(1, abs=1e-3)
    assert model.stop_reason_ == "tolerance"


def test_a_column_that_is_lost_is_told():
    scales = 10.0 ** np.array([-3, 0, 0, 0, 0, 0])
    y = Y + 5 * X[:, 0]
    with pytest.warns(DataConversionWarning, match="X's columns 0 are lost: .* 'per_feature'|per_"):
        LMHALPRegressor().fit(X * scales, y)
    with pytest.warns(DataConversionWarning, match="columns 0 are lost"):
        LMHALPClassifier(l2=0.1).fit(X * scales, y > 0)
    # 16 bits hold it, floating point does, and what has nothing to do with y is not missed.
    LMHALPRegressor(data_bits=16, tol=1e-2).fit(X * scales, y)
    LMHALPRegressor(algorithm="svrg", tol=1e-2).fit(X * scales, y)
    noise = 1e-3 * np.random.default_rng(0).standard_normal((len(X), 3))
    LMHALPRegressor().fit(np.column_stack([X, noise]), Y)


@ALGORITHMS
@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_every_width(algorithm, bits, offset):
    """Fewer bits of the data cost accuracy, but no more with an offset than without."""
    options = {"algorithm": algorithm, "data_bits": bits, "word_bits": max(bits, 8)}
    model = LMHALPRegressor(**options).fit(X, Y + offset)
    least = ridge_score(X, Y) - {4: 0.03, 8: 1e-4, 16: 1e-6}[bits]
    assert least < model.score(X, Y + offset) <= ridge_score(X, Y) + 1e-9


@ALGORITHMS
def test_without_an_intercept_nothing_is_centred(algorithm):
    x, y = X + 1.0, Y + 10.0
    model = LMHALPRegressor(algorithm=algorithm, fit_intercept=False, tol=1e-7, epochs=3000)
    model.fit(x, y)
    w, *_ = linear_problems.ridge(x, y, 0.0, intercept=False)
    expected = np.linalg.norm(x @ w - y) / np.linalg.norm(y)
    assert np.linalg.norm(model.predict(x) - y) / np.linalg.norm(y) == pytest.approx(
        expected, abs=1e-3
    )
    assert model.intercept_ == 0.0
