"""How training goes: what is recorded, when it ends, what it depends on."""

import os
import warnings

import linear_problems
import numpy as np
import pytest

from tq_halp.errors import InputError
from tq_halp.linear import ConvergenceWarning, LMHALPClassifier, LMHALPRegressor
from tq_halp.linear.fit_loop import AdaptiveRate, Progress
from tq_halp.linear.hyperparameters import ALGORITHMS
from tq_halp.linear.threads import thread_count

X, Y = linear_problems.regression()
RECORD = {
    "epoch",
    "loss",
    "gradient_norm",
    "seconds",
    "inner_seconds",
    "gradient_seconds",
    "learning_rate",
    "scale",
    "saturated",
    "mu",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_history(algorithm):
    model = LMHALPRegressor(algorithm=algorithm, epochs=5, tol=0).fit(X, Y)
    assert model.n_iter_ == len(model.history_) == 5
    assert [record["epoch"] for record in model.history_] == [1, 2, 3, 4, 5]
    for record in [model.start_, *model.history_]:
        assert set(record) == RECORD
        parts = record["inner_seconds"], record["gradient_seconds"]
        only_inner = algorithm in ("sgd", "lp_sgd")
        assert record["seconds"] == (parts[0] if only_inner else sum(parts))
        assert 0 <= record["saturated"] <= 1
    assert model.start_["epoch"] == 0 and model.start_["inner_seconds"] == 0
    # At the start, the mean of y, the loss is half its variance.
    assert model.start_["loss"] == pytest.approx(np.var(Y) / 2, rel=1e-6)
    assert model.history_[-1]["loss"] < model.start_["loss"]
    assert model.setup_seconds_ > 0


def test_records_are_of_the_objective():
    """The last record is the loss and the gradient at the weights that are kept, by hand."""
    model = LMHALPRegressor(epochs=3, tol=0, l2=0.2).fit(X, Y)
    residual = model.predict(X) - Y
    loss = np.mean(residual**2) / 2 + 0.1 * np.sum(model.coef_**2)
    constant = np.sqrt(np.mean(X**2))  # in the intercept's column
    gradient = [*(X.T @ residual / len(X) + 0.2 * model.coef_), constant * residual.mean()]
    assert model.history_[-1]["loss"] == pytest.approx(loss, rel=1e-6)
    # The solver's own is good to one percent.
    assert model.history_[-1]["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=0.02)


def test_mu_given_and_recorded():
    model = LMHALPRegressor(mu=3.0, epochs=4, tol=0, learning_rate=0.01).fit(X, Y)
    np.testing.assert_allclose([record["mu"] for record in model.history_], 3.0, rtol=0.03)
    assert {record["learning_rate"] for record in model.history_} == {0.01}
    assert LMHALPRegressor(algorithm="svrg", epochs=1, tol=0).fit(X, Y).history_[0]["mu"] is None


def test_tolerance_is_relative_to_the_start():
    for tol in (1e-1, 1e-3, 1e-5):
        model = LMHALPRegressor(tol=tol).fit(X, Y)
        norms = [record["gradient_norm"] for record in [model.start_, *model.history_]]
        assert norms[-1] <= tol * norms[0] < min(norms[:-1])
        assert model.stop_reason_ == "tolerance"


def test_epochs_end_with_a_warning():
    with pytest.warns(ConvergenceWarning, match=r"ended after epochs=2 with a gradient norm of"):
        model = LMHALPRegressor(epochs=2, tol=1e-12).fit(X, Y)
    assert (model.n_iter_, model.stop_reason_) == (2, "epochs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LMHALPRegressor(epochs=2, tol=0).fit(X, Y)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ends_at_the_floor(algorithm):
    """Of double precision for HALP and SVRG, of noise for the others."""
    model = LMHALPRegressor(algorithm=algorithm, tol=0, epochs=2000, weight_range=8.0).fit(X, Y)
    assert model.stop_reason_ == "no_progress"
    floor = model.history_[-1]["gradient_norm"] / model.start_["gradient_norm"]
    assert floor < (1e-10 if algorithm in ("halp", "svrg") else 0.5)


def test_callback():
    seen = []

    def stop_at_third(record):
        seen.append(record)
        record["loss"] = None  # a copy: the history keeps its own
        return record["epoch"] == 3

    model = LMHALPRegressor(callback=stop_at_third, tol=0).fit(X, Y)
    assert [record["epoch"] for record in seen] == [1, 2, 3]
    assert (model.n_iter_, model.stop_reason_) == (3, "callback")
    assert model.history_[2]["loss"] > 0
    assert model.score(X, Y) > 0.5
    # Only True stops: a function may return what it likes.
    assert LMHALPRegressor(callback=lambda record: "more", epochs=4, tol=0).fit(X, Y).n_iter_ == 4


def test_error_of_a_callback_is_the_callers():
    def fail(record):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        LMHALPRegressor(callback=fail).fit(X, Y)


@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_warm_start(algorithm):
    model = LMHALPRegressor(algorithm=algorithm, warm_start=True, epochs=4, tol=0).fit(X, Y)
    last = model.history_[-1]["gradient_norm"]
    model.fit(X, Y)
    assert model.start_["gradient_norm"] == pytest.approx(last, rel=0.1)
    assert model.history_[-1]["gradient_norm"] < 0.1 * last
    # The tolerance refers to zero weights: a converged model has nothing to do.
    model.set_params(tol=1e-5, epochs=100).fit(X, Y)
    model.fit(X, Y)
    assert (model.n_iter_, model.stop_reason_) == (0, "tolerance")
    cold = LMHALPRegressor(algorithm=algorithm, epochs=4, tol=0)
    assert cold.fit(X, Y).fit(X, Y).start_["loss"] == pytest.approx(np.var(Y) / 2, rel=1e-6)


def test_warm_start_of_classes_and_scales():
    x, y = linear_problems.classification(classes=3)
    model = LMHALPClassifier(warm_start=True, feature_scale="per_feature", l2=0.1).fit(x, y)
    coefficients = model.coef_
    assert model.fit(x, y).n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, coefficients, atol=1e-4)


def test_warm_start_elsewhere():
    model = LMHALPRegressor(warm_start=True).fit(X, Y)
    with pytest.raises(InputError, match=r"shape \(1, 12\).* Received: data for \(1, 3\)"):
        model.fit(X[:, :3], Y)
    x, y = linear_problems.classification(classes=3)
    model = LMHALPClassifier(warm_start=True, epochs=1, tol=0).fit(x, y)
    with pytest.raises(InputError, match=r"last fit, \[0, 1, 2\]. Received: \[10, 11, 12\]"):
        model.fit(x, y + 10)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_reproducible(algorithm):
    def fit(seed):
        return LMHALPRegressor(algorithm=algorithm, random_state=seed, epochs=3, tol=0).fit(X, Y)

    np.testing.assert_array_equal(fit(1).coef_, fit(1).coef_)
    assert (fit(1).coef_ != fit(2).coef_).any()
    generators = fit(np.random.RandomState(5)).coef_, fit(np.random.RandomState(5)).coef_
    np.testing.assert_array_equal(*generators)
    assert (fit(None).coef_ != fit(None).coef_).any()
    np.testing.assert_array_equal(
        fit(np.random.default_rng(5)).coef_, fit(np.random.default_rng(5)).coef_
    )


@pytest.mark.parametrize("estimator", [LMHALPRegressor, LMHALPClassifier])
def test_threads_change_nothing(estimator):
    x, y = linear_problems.classification(n=2000, d=300, classes=3)

    def fit(n_threads):
        return estimator(n_threads=n_threads, epochs=3, tol=0).fit(x, y).coef_

    alone = fit(1)
    for n_threads in (2, 3, 1000, None):
        np.testing.assert_array_equal(fit(n_threads), alone)


def test_float_inner_steps_and_batches():
    for batch_size in (1, 7, 600, 10_000):
        model = LMHALPRegressor(batch_size=batch_size, inner_steps=50, tol=1e-2).fit(X, Y)
        assert model.stop_reason_ == "tolerance"


def test_rate_that_diverges():
    with pytest.raises(InputError, match="small enough to converge. Received: 1e\\+06.*'auto'"):
        LMHALPRegressor(algorithm="svrg", learning_rate=1e6, epochs=100).fit(X, Y)


def test_divergence_names_what_the_user_chose():
    with pytest.raises(InputError, match="^mu must be large enough to .* 1e-300: .* a larger one"):
        LMHALPRegressor(mu=1e-300).fit(X, Y)
    with pytest.raises(InputError, match="^mu must .* and learning_rate must .* 1e-300 and 0.01:"):
        LMHALPRegressor(mu=1e-300, learning_rate=0.01).fit(X, Y)


BAD_PARAMETERS = [
    ("word_bits", 4, "word_bits must be one of 8, 16. Received: 4"),
    ("word_bits", "8", "word_bits must be one of 8, 16. Received: '8'"),
    ("data_bits", True, "data_bits must be one of 4, 8, 16. Received: True"),
    ("mu", 0, "mu must be 'auto' or a finite number above 0. Received: 0"),
    ("mu", "none", "mu must be 'auto' or a finite number above 0. Received: 'none'"),
    ("learning_rate", -1.0, "learning_rate must be 'auto' or a finite number above 0"),
    ("learning_rate", float("inf"), "learning_rate must be .* Received: inf"),
    ("batch_size", 0, "batch_size must be an integer from 1 to 32768. Received: 0"),
    ("batch_size", 2.0, "batch_size must be an integer from 1 to 32768. Received: 2.0"),
    ("epochs", 0, "epochs must be an integer from 1 to 2147483647. Received: 0"),
    ("l2", -0.1, "l2 must be a finite number, 0 or above. Received: -0.1"),
    ("l2", None, "l2 must be a finite number, 0 or above. Received: None"),
    ("algorithm", "adam", "algorithm must be one of halp, svrg, sgd, lp_svrg, lp_sgd"),
    ("n_threads", 0, "n_threads must be None or an integer from 1"),
    ("random_state", -1, "random_state must be an integer from 0 to 2\\^63 - 1, .* Received: -1"),
    ("random_state", "a", "random_state must be an integer"),
    ("fit_intercept", 1, "fit_intercept must be True or False. Received: 1"),
    ("tol", float("nan"), "tol must be a finite number, 0 or above. Received: nan"),
    ("inner_steps", 0, "inner_steps must be None or an integer from 1"),
    ("feature_scale", "column", "feature_scale must be one of per_tensor, per_feature"),
    ("weight_range", 0, "weight_range must be a finite number above 0. Received: 0"),
    ("patience", 0, "patience must be an integer from 1"),
    ("warm_start", "yes", "warm_start must be True or False. Received: 'yes'"),
    ("callback", 3, "callback must be None or a function. Received: 3"),
]


@pytest.mark.parametrize("name, value, message", BAD_PARAMETERS)
def test_bad_parameters(name, value, message):
    with pytest.raises(InputError, match=message):
        LMHALPRegressor(**{name: value}).fit(X, Y)


def test_every_parameter_has_a_bad_value():
    assert {name for name, *_ in BAD_PARAMETERS} == set(LMHALPRegressor().get_params())


def test_numpy_numbers_are_numbers():
    model = LMHALPRegressor(
        np.int64(8), np.int32(8), epochs=np.int64(2), l2=np.float32(0.5), tol=np.float64(0)
    )
    assert model.fit(X, Y).n_iter_ == 2


def test_progress_counts_epochs_since_the_best():
    progress = Progress(patience=3)
    table = [
        (1.0, 1.0, False),
        (0.5, 2.0, False),  # a new best loss
        (0.5, 0.9995, False),  # one: a better norm, by too little
        (0.4999, 1.0, False),  # two: a better loss, by too little
        (0.45, 1.5, False),  # a new best loss
        (9.0, 9.0, False),  # one
        (8.0, 8.0, False),  # on the way back
        (7.0, 7.0, False),
        (7.0, 6.0, False),  # two
        (6.0, 6.0, True),
    ]
    assert [progress.has_ended(loss, norm) for loss, norm, _ in table] == [end for *_, end in table]


def test_adaptive_rate_by_hand():
    rate = AdaptiveRate(1.0, most=2.0)
    # Gradient norm and loss of one epoch after the other, and the rate from then on.
    table = [
        (8.0, 9.0, None),
        (4.1, 8.0, 1.5),
        (2.0, 7.0, 1.5),  # fast enough
        (1.9, 6.0, 2.0),  # the most
        (2.0, 5.0, 2.0),  # the gradient rises, but not the loss
        (1.9, 5.5, 2.0),  # the loss rises, but not the gradient
        (2.0, 5.5, 1.0),
        (1.9, 5.4, 1.2),
        (3.0, 5.3, 0.72),  # by more than half: at most 0.6 of 1.2
        (2.9, 5.2, 1.01 * 0.72),
        (9.0, 9.0, 0.5 * 1.01 * 0.72),
    ]
    records = [{"gradient_norm": norm, "loss": loss} for norm, loss, _ in table]
    for before, after, (*_, expected) in zip(records, records[1:], table[1:], strict=False):
        rate.saw(before, after)
        assert rate.rate == pytest.approx(expected, rel=1e-12)


def test_stalled_epochs_halve_the_rate():
    rate, record = AdaptiveRate(1.0, most=2.0), {"gradient_norm": 1.0, "loss": 1.0}
    better = {"gradient_norm": 0.9, "loss": 0.9}
    rates = []
    for without_progress in range(6):
        rate.saw(record, better, without_progress)
        rates.append(rate.rate)
    # By halves up to the most; halved, and a hundredth more is allowed each time; halved again.
    expected = [1.5, 2.0, 1.0, 1.01, 1.01**2, 1.01**2 / 2]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_threads_are_no_more_than_cores():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert thread_count(10_000, 10) == cores
    assert thread_count(None, 10) == 1
    assert thread_count(None, 10**9) == cores
