"""The solver's weights are those of the steps restated in NumPy, bit for bit."""

import numpy as np
import pytest
from linear_arithmetic import exponential, exponential_minus_one
from linear_oracle import LinearOracle

from quant_ops.linear import LinearSolver

OUTPUTS = {"squared": 1, "logistic": 1, "softmax": 3}

# Rows, columns, batch size: at, below and above units of 64 columns and of 64 and 256 rows, batches
# that divide and that do not, and more columns than sums are kept in one piece for.
SHAPES = [
    (40, 1, 1),
    (150, 5, 3),
    (128, 64, 64),
    (150, 65, 64),
    (70, 200, 7),
    (700, 66, 300),
    (9, 2100, 4),
]


def problem(loss, rows, columns, seed=0):
    draw = np.random.default_rng([seed, rows, columns])
    x = draw.standard_normal((rows, columns))
    scores = x @ draw.standard_normal((columns, 3)) / np.sqrt(columns) + draw.gumbel(size=(rows, 3))
    targets = {
        "squared": 3 * scores[:, 0] + 1,
        "logistic": (scores[:, 0] > 0.2).astype(float),
        "softmax": np.argmax(scores, axis=1),
    }
    return x, targets[loss]


def both(x, targets, loss, **options):
    options |= {"loss": loss, "outputs": OUTPUTS[loss]}
    return LinearSolver(x, targets, **options), LinearOracle(
        np.asarray(x, float), targets, **options
    )


def assert_equal(solver, oracle):
    np.testing.assert_array_equal(solver.weights(), oracle.weights())
    assert solver.measurement["gradient_norm"] == oracle.gradient_norm


def run(solver, oracle, epochs=3, steps=20, mu=None):
    """At a rate near the largest that converges; on its way every part of a step is taken."""
    assert_equal(solver, oracle)
    rate = 0.7 / oracle.mean_square_norm
    for _ in range(epochs):
        measurement = solver.epoch(rate, steps, mu)
        oracle.epoch(rate, steps, mu)
        assert_equal(solver, oracle)
        assert measurement["scale"] == oracle.scale
        assert measurement["saturated"] == oracle.saturated
    assert np.any(oracle.weights())


@pytest.mark.parametrize("data_bits", [4, 8, 16])
@pytest.mark.parametrize("word_bits", [8, 16])
@pytest.mark.parametrize("loss", OUTPUTS)
def test_halp(loss, word_bits, data_bits):
    """Every shape, with and without penalty, intercept and mu."""
    for number, (rows, columns, batch_size) in enumerate(SHAPES):
        x, targets = problem(loss, rows, columns)
        options = {"batch_size": batch_size, "word_bits": word_bits, "data_bits": data_bits}
        options |= {"seed": 77 + number, "intercept": number % 2 == 0}
        solver, oracle = both(x, targets, loss, l2=[0.0, 0.05, 0.3][number % 3], **options)
        run(solver, oracle, mu=0.3 if number % 4 == 3 else None)


@pytest.mark.parametrize("word_bits", [8, 16])
@pytest.mark.parametrize("algorithm", ["lp_svrg", "lp_sgd"])
@pytest.mark.parametrize("loss", OUTPUTS)
def test_low_precision(loss, algorithm, word_bits):
    for number, (rows, columns, batch_size) in enumerate(SHAPES[1:6]):
        x, targets = problem(loss, rows, columns)
        options = {"algorithm": algorithm, "word_bits": word_bits, "batch_size": batch_size}
        options |= {"weight_range": 0.7, "l2": 0.2 * (number % 2), "intercept": number % 2 == 1}
        run(*both(x, targets, loss, data_bits=[4, 8, 16][number % 3], **options))


@pytest.mark.parametrize("word_bits", [8, 16])
def test_many_epochs(word_bits):
    """Until the weights are at their optimum to double precision, through all scales on the way."""
    x, targets = problem("squared", 150, 5)
    solver, oracle = both(x, targets, "squared", batch_size=16, word_bits=word_bits)
    start = oracle.gradient_norm
    run(solver, oracle, epochs=30)
    assert oracle.gradient_norm < 1e-9 * start


@pytest.mark.parametrize("loss", OUTPUTS)
def test_sample_weights_and_penalties_of_columns(loss):
    x, targets = problem(loss, 150, 65)
    draw = np.random.default_rng(1)
    weights = draw.choice([0.0, 0.5, 1.0, 7.0], 150)
    for intercept in (False, True):
        solver = LinearSolver(x, targets, loss=loss, outputs=OUTPUTS[loss], intercept=intercept,
                              sample_weights=weights, l2=np.full(65, 0.1))  # fmt: skip
        oracle = LinearOracle(x, targets, loss=loss, outputs=OUTPUTS[loss], intercept=intercept,
                              sample_weights=weights, l2=0.1)  # fmt: skip
        run(solver, oracle)


@pytest.mark.parametrize("algorithm", ["halp", "lp_svrg", "lp_sgd"])
@pytest.mark.parametrize("word_bits", [8, 16])
def test_initial_weights(word_bits, algorithm):
    x, targets = problem("softmax", 150, 65)
    initial = np.random.default_rng(2).standard_normal((3, 66)) / 4
    options = {"word_bits": word_bits, "algorithm": algorithm, "intercept": True}
    run(*both(x, targets, "softmax", initial=initial, **options))


@pytest.mark.parametrize("data_bits", [4, 8, 16])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_unsigned_features_of_every_type(dtype, data_bits):
    x = np.random.default_rng(3).integers(0, 256, (150, 65)).astype(dtype)
    targets = np.arange(150) % 3
    run(*both(x, targets, "softmax", data_bits=data_bits, intercept=True, batch_size=10))


@pytest.mark.parametrize("word_bits", [8, 16])
def test_saturation(word_bits):
    """A mu that leaves no room ends with offsets, coefficients and sums at their limits."""
    x, targets = problem("squared", 150, 65)
    solver, oracle = both(x, targets, "squared", word_bits=word_bits, batch_size=20)
    run(solver, oracle, mu=1e3)
    assert oracle.saturated > 0.1
    solver, oracle = both(x, targets, "squared", word_bits=word_bits, batch_size=20)
    for rate in (30.0, 1e4):  # diverging: coefficients are clamped
        solver.epoch(rate, 5)
        oracle.epoch(rate, 5)
        assert_equal(solver, oracle)


def test_seeds():
    """All 64 bits of a seed count."""
    x, targets = problem("squared", 40, 5)
    seen = set()
    for seed in (0, 1, -1, 2**32, 2**63 - 1, -(2**63)):
        solver, oracle = both(x, targets, "squared", seed=seed, batch_size=3)
        run(solver, oracle, epochs=1)
        seen.add(solver.weights().tobytes())
    assert len(seen) == 6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponential(dtype):
    """The one that the steps are made of: a few roundings of its own, hence 4 units of the last
    place. Beyond its reach it is constant, which no loss can tell from 0 and infinity."""
    reach = 80 if dtype is np.float32 else 700
    x = np.linspace(-reach, reach, 10001).astype(dtype)
    x = np.concatenate([x, np.geomspace(1e-30, 1, 1000), -np.geomspace(1e-30, 1, 1000)]).astype(
        dtype
    )
    exact = np.float64 if dtype is np.float32 else np.longdouble
    tolerance = 4 * np.finfo(dtype).eps
    for ours, theirs in ((exponential, np.exp), (exponential_minus_one, np.expm1)):
        expected = theirs(x.astype(exact)).astype(dtype)
        np.testing.assert_allclose(ours(x), expected, rtol=tolerance)
    ends = np.array([-np.inf, np.inf], dtype)
    np.testing.assert_array_equal(exponential(ends), exponential(np.array([-reach, reach], dtype)))
