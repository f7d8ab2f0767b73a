"""Data at the edges: few samples, many features, constants, zeros, extreme scales, divergence."""

import numpy as np
import pytest

from quant_ops.linear import ALGORITHMS, LinearSolver

INTEGER = ("halp", "lp_svrg", "lp_sgd")
DRAW = np.random.default_rng(11)
X = np.round(32 * DRAW.standard_normal((300, 6))).clip(-127, 127) / 64
X[1, 0] = 127 / 64  # 8 bits hold it exactly
Y = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0, -1.0]) + 0.1 * DRAW.standard_normal(300)


def solved(x, y, epochs=40, steps=60, rate=None, **options):
    """After so many epochs at a rate of half the inverse of the curvature of all samples' mean."""
    solver = LinearSolver(x, y, **{"loss": "squared", "batch_size": 32} | options)
    columns = x.shape[1] + bool(options.get("intercept"))
    square = np.mean(np.square(x, dtype=float)) * columns
    rate = rate or 0.5 / (square or 1.0)
    for _ in range(epochs):
        solver.epoch(rate, steps)
    return solver


@pytest.mark.parametrize("rate", [0.05, 0.15])
def test_decay_by_more_than_the_whole_weight(rate):
    """rate * l2 > 1 overshoots, and converges as long as it is below 2."""
    solver = solved(X, Y, rate=rate, l2=8.0)
    exact = np.linalg.solve(X.T @ X / 300 + 8 * np.eye(6), X.T @ Y / 300)
    np.testing.assert_allclose(solver.weights()[0], exact, atol=1e-9)


@pytest.mark.parametrize("word_bits", [8, 16])
def test_zero_weights_are_as_good_as_no_samples(word_bits):
    keep = np.arange(300) % 3 > 0
    expected = np.linalg.lstsq(X[keep], Y[keep])[0]
    y = np.where(keep, Y, 1e6)  # which must not count
    found = solved(X, y, sample_weights=keep.astype(float), word_bits=word_bits)
    removed = solved(X[keep], Y[keep], word_bits=word_bits)
    for solver in (found, removed):
        # The curvature is near (32/64)^2, so the error is four times the gradient, and that has
        # fallen by 1e-8 at least.
        assert solver.measurement["gradient_norm"] < 1e-8
        np.testing.assert_allclose(solver.weights()[0], expected, atol=1e-7)


def test_a_constant_column_is_an_intercept():
    x = np.column_stack([X, np.full(300, 1.0)])
    x, y = np.round(x * 64) / 64, Y + 2
    column, intercept = solved(x, y), solved(X, y, intercept=True)
    assert column.weights()[0, -1] == pytest.approx(intercept.weights()[0, -1], abs=1e-6)
    expected = np.linalg.lstsq(x, y)[0]
    np.testing.assert_allclose(column.weights()[0], expected, atol=1e-6)
    np.testing.assert_allclose(intercept.weights()[0], expected, atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_zeros_alone(algorithm, dtype):
    """Without an intercept nothing can be learned; with one, the mean. Baselines with 8 bits stay
    within some steps of their grid; plain SGD within its noise."""
    x, y = np.zeros((40, 70), dtype), np.linspace(0, 1, 40)
    options = {"algorithm": algorithm, "weight_range": 2.0}
    alone = solved(x, y, epochs=3, rate=0.05, **options)
    assert alone.measurement["loss"] == pytest.approx(np.mean(y**2) / 2)
    assert not alone.weights().any() and alone.measurement["gradient_norm"] == 0
    mean = solved(x, y, rate=0.05, intercept=True, **options).weights()
    assert not mean[:, :-1].any()
    tolerance = {"halp": 1e-9, "svrg": 1e-5}.get(algorithm, 0.1)
    assert mean[0, -1] == pytest.approx(0.5, abs=tolerance)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 130), (2, 1), (3, 5)])
def test_fewer_samples_than_a_batch(algorithm, shape):
    """Which are interpolated, to the grids' steps where there is one."""
    x = np.abs(np.random.default_rng(1).standard_normal(shape)) + 0.5
    y = x.sum(axis=1) / shape[1]  # weights of 1 / d, or fewer and larger ones
    solver = solved(x, y, epochs=60, steps=200, algorithm=algorithm, data_bits=16, weight_range=2.0)
    assert solver.measurement["loss"] < (1e-8 if algorithm in ("halp", "svrg") else 0.02)


@pytest.mark.parametrize("exponent", [-66, -20, 66])
@pytest.mark.parametrize("word_bits", [8, 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_two_change_nothing_but_the_scale(dtype, word_bits, exponent):
    """x c, and a rate of rate / c^2: weights / c exactly, for c = 1.4e-20 to 7e19."""
    x, c = (X / 3).astype(dtype), 2.0**exponent
    plain = solved(x, Y, epochs=5, rate=0.25, intercept=True, word_bits=word_bits)
    scaled = solved((x * c).astype(dtype), Y, epochs=5, rate=0.25 / c**2, intercept=True,
                    word_bits=word_bits)  # fmt: skip
    expected = plain.weights()
    expected[:, :-1] /= c
    np.testing.assert_array_equal(scaled.weights(), expected)
    assert plain.measurement["loss"] == scaled.measurement["loss"]


@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_column_scales(algorithm):
    """They are as good as scaled columns; weights and penalty are those of x as it was given."""
    scales = 2.0 ** np.arange(-3, 3)
    wide = solved(X / scales, Y, column_scales=scales, l2=0.02, rate=0.3, algorithm=algorithm)
    given = X / scales
    hessian = given.T @ given / 300 + 0.02 * np.eye(6)
    expected = np.linalg.solve(hessian, given.T @ Y / 300)
    np.testing.assert_allclose(wide.weights()[0] / scales, expected / scales, atol=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_many_features(algorithm):
    """Of 100,000 of them, three samples; and more threads than there is work for."""
    x = np.random.default_rng(2).standard_normal((3, 100_000)).astype(np.float32)
    y = np.array([1.0, -1.0, 0.5])
    solvers = [LinearSolver(x, y, loss="squared", algorithm=algorithm, n_threads=n, batch_size=2,
                            weight_range=1e-3, word_bits=16) for n in (1, 64)]  # fmt: skip
    start = solvers[0].measurement["loss"]
    for _ in range(5):
        for n, solver in zip((1, 64), solvers, strict=True):
            solver.epoch(3e-6, 10, n_threads=n)
    assert solvers[0].measurement["loss"] < 0.1 * start
    if algorithm in INTEGER:
        np.testing.assert_array_equal(solvers[0].weights(), solvers[1].weights())
    else:  # sums of 100,000 float32 in another order, 50 times
        np.testing.assert_allclose(*(solver.weights() for solver in solvers), atol=1e-8)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scaled", [False, True])
def test_initial(algorithm, scaled):
    """What is measured before any epoch belongs to the weights that were given."""
    initial = np.array([[0.25, -0.5, 0.125, 0.0, 0.75, -0.25, 0.5]])
    scales = 2.0 ** np.arange(-1, 5) if scaled else None
    x = X / scales if scaled else X
    given = initial * np.append(scales, 1.0) if scaled else initial
    solver = LinearSolver(x, Y, loss="squared", algorithm=algorithm, intercept=True, initial=given,
                          column_scales=scales, word_bits=16)  # fmt: skip
    a = np.column_stack([X, np.ones(300)])
    # The intercept is on the baselines' grid only to its step, 2^-15.
    tolerance = 1e-12 if algorithm in ("halp", "svrg", "sgd") else 2.0**-15
    np.testing.assert_allclose(solver.weights(), given, atol=tolerance)
    rest = a @ initial[0] - Y
    assert solver.measurement["loss"] == pytest.approx(np.mean(rest**2) / 2, rel=1e-3)
    assert solver.weights().shape == (1, 7)


@pytest.mark.parametrize("rate", [1e3, 1e10, 1e300])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_divergence_is_plain(algorithm, loss, rate):
    """No number looks like a minimum: the loss is far above the optimum, or not finite."""
    solver = LinearSolver(X, (Y > 0).astype(float) if loss == "logistic" else Y, loss=loss,
                          algorithm=algorithm)  # fmt: skip
    for _ in range(10):
        measurement = solver.epoch(rate, 30)
        weights = solver.weights()
    if loss == "squared":
        assert not measurement["loss"] < 0.05
    if algorithm in INTEGER:
        assert np.isfinite(weights).all() and np.isfinite(measurement["loss"])
