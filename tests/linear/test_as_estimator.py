"""The estimators as objects: parameters, copies, processes, scikit-learn's tools around them."""

import pickle
import subprocess
import sys

import linear_problems
import numpy as np
import pytest

from tq_halp.errors import InputError
from tq_halp.linear import LMHALPClassifier, LMHALPRegressor, NotFittedError

X, Y = linear_problems.classification(n=200, classes=3)
BOTH = pytest.mark.parametrize("estimator", [LMHALPRegressor, LMHALPClassifier])


def stop(record):
    """A callback that can be pickled."""
    return record["epoch"] == 2


@BOTH
def test_parameters_round_trip(estimator):
    given = {
        "word_bits": 16,
        "data_bits": 4,
        "mu": 2.0,
        "learning_rate": 0.1,
        "batch_size": 3,
        "epochs": 7,
        "l2": 0.5,
        "algorithm": "svrg",
        "n_threads": 1,
        "random_state": 3,
        "fit_intercept": False,
        "tol": 0.1,
        "inner_steps": 5,
        "feature_scale": "per_feature",
        "weight_range": 2.0,
        "patience": 4,
        "warm_start": True,
        "callback": stop,
    }
    model = estimator(**given)
    assert model.get_params() == given
    other = estimator()
    assert other.get_params().keys() == given.keys()
    assert other.set_params(**given) is other and other.get_params() == given


@BOTH
def test_unknown_parameter(estimator):
    message = f"unknown parameter of {estimator.__name__} 'epoch', .* did you mean 'epochs'"
    with pytest.raises(InputError, match=message):
        estimator().set_params(epoch=3)


def test_repr_tells_what_differs_from_the_defaults():
    assert repr(LMHALPRegressor()) == "LMHALPRegressor()"
    assert repr(LMHALPClassifier(l2=0.1, mu=3)) == "LMHALPClassifier(mu=3, l2=0.1)"


@BOTH
def test_not_fitted(estimator):
    methods = ["predict", "score"]
    if estimator is LMHALPClassifier:
        methods += ["decision_function", "predict_proba", "predict_log_proba"]
    for method in methods:
        arguments = (X, Y) if method == "score" else (X,)
        with pytest.raises(NotFittedError, match="not fitted yet: call fit") as caught:
            getattr(estimator(), method)(*arguments)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), NotFittedError)


@BOTH
def test_pickled(estimator):
    model = estimator(callback=stop, tol=0).fit(X, Y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert copy.get_params() == model.get_params() and copy.history_ == model.history_
    np.testing.assert_array_equal(copy.fit(X, Y).coef_, model.coef_)


def test_unpickled_where_neither_tensorflow_nor_scikit_learn_is_needed():
    model = LMHALPClassifier(l2=0.1).fit(X, Y)
    code = (
        "import pickle, sys\n"
        "model, x = pickle.load(sys.stdin.buffer)\n"
        "sys.stdout.write(repr(model.predict(x).tolist()))\n"
        "assert not {'tensorflow', 'sklearn'} & set(sys.modules)\n"
    )
    given = pickle.dumps((model, X))
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == repr(model.predict(X).tolist())


def test_probabilities():
    model = LMHALPClassifier(l2=0.1).fit(X, Y)
    scores, probabilities = model.decision_function(X), model.predict_proba(X)
    assert scores.shape == probabilities.shape == (200, 3)
    odds = np.exp(scores)
    np.testing.assert_allclose(probabilities, odds / odds.sum(1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
    np.testing.assert_allclose(scores, X @ model.coef_.T + model.intercept_, rtol=1e-12)
    assert model.score(X, Y) == np.mean(model.predict(X) == Y)


def test_probabilities_of_two_classes():
    model = LMHALPClassifier(l2=0.1).fit(X, Y == 1)
    score = model.decision_function(X)
    assert score.shape == (200,) and model.coef_.shape == (1, 12)
    sigma = 1 / (1 + np.exp(-score))
    np.testing.assert_allclose(model.predict_proba(X), np.stack([1 - sigma, sigma], 1), atol=1e-15)
    np.testing.assert_array_equal(model.predict(X), score > 0)
    far = model.predict_log_proba(1e4 * X)
    assert np.isfinite(far).all() and far.min() < -1000  # no log of an underflown probability


def test_score_of_regression():
    draw = np.random.default_rng(0)
    y, s = draw.standard_normal(200) + X[:, 0], draw.random(200)
    model = LMHALPRegressor().fit(X, y)
    left = s @ (y - model.predict(X)) ** 2
    assert model.score(X, y, s) == pytest.approx(1 - left / (s @ (y - s @ y / s.sum()) ** 2))
    assert model.score(X, np.ones(200)) == 0.0


def test_score_of_classification_by_weight():
    model = LMHALPClassifier(l2=0.1).fit(X, Y)
    right = model.predict(X) == Y
    assert model.score(X, Y, np.where(right, 3.0, 1.0)) == pytest.approx(
        3 * right.sum() / (3 * right.sum() + (~right).sum())
    )


def test_scikit_learn_around_it():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError as TheirNotFittedError
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LMHALPClassifier(l2=0.1, callback=stop, tol=0)
    copy = clone(model.fit(X, Y))
    assert copy.get_params() == model.get_params() and not hasattr(copy, "coef_")
    with pytest.raises(TheirNotFittedError):
        copy.predict(X)
    pipeline = make_pipeline(StandardScaler(), LMHALPClassifier(tol=1e-3))
    search = GridSearchCV(pipeline, {"lmhalpclassifier__l2": [0.01, 100.0]}).fit(X, Y)
    assert search.best_params_ == {"lmhalpclassifier__l2": 0.01}
    assert cross_val_score(LMHALPRegressor(), X, X[:, 0] + 1).min() > 0.99
