"""The learning rate's estimate against exact smoothness, and that training converges with it."""

import itertools

import numpy as np
import pytest

from quant_ops import LinearSolver
from tq_halp.linear import LMHALPClassifier, LMHALPRegressor
from tq_halp.linear.step_size import CURVATURE, automatic_learning_rate


def problem(kind, n=400, d=15, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, d))
    if kind == "badly scaled":
        return x * np.logspace(-1, 1, d)
    if kind == "outlier rows":
        return x * np.where(draw.random((n, 1)) < 0.01, 30.0, 1.0)
    if kind == "far from zero":
        return x + 2.0
    if kind == "correlated":
        return x @ draw.standard_normal((d, d))
    if kind == "more features than samples":
        return draw.standard_normal((d * 3, n))
    if kind == "sorted":
        return np.sort(x, axis=0)
    return x


KINDS = (
    "normal",
    "badly scaled",
    "outlier rows",
    "far from zero",
    "correlated",
    "more features than samples",
    "sorted",
)


def rate(x, *, loss="squared", batch_size=8, l2=0.0, algorithm="svrg", **options):
    """Of x as it is, or quantized."""
    targets = np.zeros(len(x))
    solver = LinearSolver(
        x, targets, loss=loss, batch_size=batch_size, algorithm=algorithm, data_bits=16, **options
    )
    return automatic_learning_rate(
        solver, x.shape, loss=loss, batch_size=batch_size, largest_penalty=np.max(l2)
    )


def test_batches_of_one_by_hand():
    x = np.array([[3.0, 4.0], [1.0, 0.0]])
    assert rate(x, batch_size=1) == pytest.approx(0.5 / 25)
    # The intercept's column holds the root mean square, of 4 elements whose squares add to 26.
    assert rate(x, batch_size=1, intercept=True) == pytest.approx(0.5 / (25 + 26 / 4))
    assert rate(x, batch_size=1, loss="logistic", l2=np.array([1.0, 3.0])) == pytest.approx(
        0.5 / (25 / 4 + 3)
    )
    assert rate(x, batch_size=1, column_scales=np.array([2.0, 0.5])) == pytest.approx(0.5 / 40)
    # Weights of mean 1: 0.4 and 1.6.
    assert rate(x, batch_size=1, sample_weights=np.array([1.0, 4.0])) == pytest.approx(
        0.5 / (0.4 * 25)
    )


def test_full_batch_is_the_smoothness_of_the_loss():
    x = problem("correlated")
    largest = np.linalg.eigvalsh(x.T @ x / len(x))[-1]
    assert 0.8 * 0.5 / largest < rate(x, batch_size=400) <= 0.5 / largest
    assert rate(x, batch_size=10_000) == rate(x, batch_size=400)


def test_no_curvature():
    assert rate(np.zeros((5, 2))) == 1.0
    assert rate(np.zeros((5, 2)), intercept=True) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_between_the_smoothness_of_all_data_and_of_the_worst_row(kind, batch_size):
    """And not above the one of any batch of a random permutation by more than a few percent."""
    x = problem(kind)
    n, b = len(x), min(batch_size, len(x))
    bound = 0.5 / rate(x, batch_size=batch_size)
    assert np.linalg.norm(x, 2) ** 2 / n <= bound * (1 + 1e-9)
    assert bound <= 1.1 * np.square(x).sum(axis=1).max() * (1 + 1e-9)
    order = np.random.default_rng(5).permutation(n)
    batches = [order[i : i + b] for i in range(0, n - b + 1, b)]
    largest = np.linalg.norm(x[np.array(batches)], 2, axis=(1, 2)).max() ** 2 / b
    assert bound > largest / 2  # the rate is half of the largest stable one


def test_bounded_work_on_large_data():
    """Sets of rows, power iteration and parts of the columns agree with the small cases' way."""
    draw = np.random.default_rng(0)
    for shape, batch_size in itertools.product([(30, 70_000), (3000, 100)], [16, 100, 3000]):
        x = draw.standard_normal(shape).astype(np.float32)
        b = min(batch_size, len(x))
        typical = np.linalg.norm(x[:b].astype(float), 2) ** 2 / b
        assert 0.9 * typical < 0.5 / rate(x, batch_size=batch_size) < 1.5 * typical


def test_curvature_bounds_the_losses():
    """l'' by differences: 1, sigma (1 - sigma) <= 1/4, and diag p - p p^T <= 1/2."""
    draw = np.random.default_rng(0)
    for _ in range(200):
        a = 3 * draw.standard_normal(5)
        p = np.exp(a) / np.exp(a).sum()
        assert np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1] <= CURVATURE["softmax"] + 1e-12
        sigma = 1 / (1 + np.exp(-a[0]))
        assert sigma * (1 - sigma) <= CURVATURE["logistic"]
    p = np.array([0.5, 0.5])
    assert np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1] == CURVATURE["softmax"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_converges(kind, classes, algorithm, batch_size):
    """l2 is a 300th of the smoothness and more, so 2000 epochs of 100 steps are plenty; an outlier,
    30² times as heavy, is why so many are allowed."""
    x = problem(kind)
    draw = np.random.default_rng(1)
    scores = x @ draw.standard_normal((x.shape[1], max(classes, 1)))
    scores += np.std(scores) * draw.standard_normal(scores.shape)
    y = (scores[:, 0], None, scores[:, 0] > 0, scores.argmax(axis=1))[classes]
    l2 = np.linalg.norm(x, 2) ** 2 / len(x) / 300
    estimator = LMHALPClassifier if classes else LMHALPRegressor
    model = estimator(algorithm=algorithm, batch_size=batch_size, l2=l2, epochs=2000, tol=1e-4)
    model.fit(x, y)
    assert model.stop_reason_ == "tolerance"


@pytest.mark.parametrize("estimator", [LMHALPRegressor, LMHALPClassifier])
def test_adapting_needs_no_more_epochs_than_the_start(estimator):
    """On a problem of large condition many fewer."""
    x = problem("far from zero")
    y = x @ np.random.default_rng(1).standard_normal(15) > 0
    adapting = estimator(algorithm="svrg", l2=0.05, epochs=3000, tol=1e-5).fit(x, y)
    start = adapting.learning_rate_
    fixed = estimator(algorithm="svrg", l2=0.05, epochs=3000, tol=1e-5, learning_rate=start)
    assert adapting.n_iter_ <= 0.8 * fixed.fit(x, y).n_iter_
