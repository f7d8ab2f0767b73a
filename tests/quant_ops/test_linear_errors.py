"""What the solver refuses, naming the argument; and that a refusal leaves it as it was."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from quant_ops.linear import LinearSolver, survey

X = np.random.default_rng(0).standard_normal((50, 4))
Y = X[:, 0].copy()


def with_one(value, like=Y):
    """`like` with an element that is `value`."""
    changed = np.array(like, float)
    changed.flat[3] = value
    return changed


NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_features_that_are_not_finite(algorithm, value, dtype):
    with pytest.raises(ValueError, match="x must be finite"):
        LinearSolver(with_one(value, X).astype(dtype), Y, loss="squared", algorithm=algorithm)


@pytest.mark.parametrize("name", ["x", "targets", "sample_weights", "initial"])
def test_where_it_is_not_finite(name):
    arguments = {"x": X, "targets": Y, "sample_weights": np.ones(50), "initial": np.ones((1, 4))}
    arguments[name] = with_one(-np.inf, arguments[name])
    index = {"x": r"0, 3", "initial": r"0, 3"}.get(name, "3")
    with pytest.raises(ValueError, match=rf"{name} must be finite. .*-inf at index \[{index}\]"):
        LinearSolver(**arguments, loss="squared")


@pytest.mark.parametrize("name", ["x", "targets", "sample_weights", "initial", "l2"])
@pytest.mark.parametrize(
    "kind, said",
    [(lambda a: np.ma.masked_less(a, np.inf), "must have no masked"), (np.complex64, "complex64")],
)
def test_arrays_of_another_kind(name, kind, said):
    arguments = {"x": X, "targets": Y, "sample_weights": np.ones(50), "initial": np.ones((1, 4)),
                 "l2": np.ones(4)}  # fmt: skip
    arguments[name] = kind(arguments[name])
    with pytest.raises(ValueError, match=f"{name} must be .*{said}|{name} {said}"):
        LinearSolver(**arguments, loss="squared")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype(a.dtype.newbyteorder()),
        np.asfortranarray,
        lambda a: a[::-1].copy()[::-1],
        lambda a: np.repeat(a, 2, axis=0)[::2],
    ],
)
def test_any_order_of_bytes_and_of_memory(form, dtype):
    x, y, s = np.abs(4 * X).astype(dtype), Y, np.arange(50.0)
    plain = LinearSolver(x, y, loss="squared", sample_weights=s)
    other = LinearSolver(form(x), form(y), loss="squared", sample_weights=form(s))
    assert plain.epoch(0.01, 9)["loss"] == other.epoch(0.01, 9)["loss"]
    np.testing.assert_array_equal(plain.weights(), other.weights())


@pytest.mark.parametrize(
    "x", [X[:0], X[:, :0], X[0], X[None], X.astype(complex), X.astype(str), X.tolist(), None]
)
def test_features_of_another_kind(x):
    with pytest.raises(ValueError, match="x must be a NumPy array"):
        LinearSolver(x, Y, loss="squared")


@pytest.mark.parametrize("factor", [1e160, 1e300])
def test_features_whose_squares_overflow(factor):
    with pytest.raises(ValueError, match="squares"):
        LinearSolver(X * factor, Y, loss="squared")


@pytest.mark.parametrize("target", NOT_FINITE)
def test_targets_that_are_not_finite(target):
    with pytest.raises(ValueError, match="targets must be finite"):
        LinearSolver(X, with_one(target), loss="squared")


@pytest.mark.parametrize("target", [*NOT_FINITE, 2.0, -0.1])
def test_targets_that_are_no_probabilities(target):
    with pytest.raises(ValueError, match=r"targets must be in \[0, 1\]"):
        LinearSolver(X, with_one(target, np.arange(50) % 2), loss="logistic")


@pytest.mark.parametrize("initial", [np.ones(4), np.zeros((1, 9)), np.ones((4, 1))])
@pytest.mark.parametrize("scales", [None, np.ones(4)])
def test_initial_weights_of_another_shape(initial, scales):
    with pytest.raises(ValueError, match=r"initial must be finite, of shape \(1, 4\)"):
        LinearSolver(X, Y, loss="squared", initial=initial, column_scales=scales)


@pytest.mark.parametrize("target", [3, -1, 0.5, np.nan, np.inf])
def test_classes(target):
    with pytest.raises(ValueError, match="targets must be classes below 3"):
        LinearSolver(X, with_one(target, np.arange(50) % 3), loss="softmax", outputs=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("targets", Y[:-1]),
        ("sample_weights", np.ones(49)),
        ("sample_weights", np.zeros(50)),
        ("sample_weights", -np.ones(50)),
        ("sample_weights", with_one(-1e-9, np.ones(50))),
        ("sample_weights", with_one(np.nan)),
        ("sample_weights", with_one(np.inf)),
        ("column_scales", np.ones(1)),
        ("column_scales", np.array([1, 1, 0, 1.0])),
        ("column_scales", np.array([1, 1, -1, 1.0])),
        ("column_scales", np.array([1, 1, np.nan, 1.0])),
        ("column_scales", np.array([1, 1, np.inf, 1.0])),
        ("l2", -1e-9),
        ("l2", np.nan),
        ("l2", np.inf),
        ("l2", [1, 1, -1, 1]),
        ("initial", np.ones((1, 5))),
        ("initial", np.array([[1, 1, 1, np.nan]])),
        ("initial", np.array([[1, 1, 1, np.inf]])),
        ("loss", "hinge"),
        ("algorithm", "adam"),
        ("outputs", 0),
        ("outputs", 2),
        ("intercept", "yes"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("batch_size", 32769),
        ("word_bits", 0),
        ("word_bits", 4),
        ("word_bits", 32),
        ("data_bits", 2),
        ("data_bits", 32),
        ("weight_range", 0.0),
        ("weight_range", -1.0),
        ("weight_range", np.nan),
        ("weight_range", np.inf),
        ("seed", 0.5),
        ("seed", 2**63),
        ("n_threads", 0),
        ("n_threads", 1025),
    ],
)
def test_other_arguments(name, value):
    arguments = {"targets": Y, "loss": "squared", name: value}
    with pytest.raises(ValueError, match=name):
        LinearSolver(X, **arguments)


@pytest.mark.parametrize("name", ["column_scales", "l2"])
def test_vectors_of_another_length(name):
    with pytest.raises(ValueError, match=r"4|shape"):
        LinearSolver(X, Y, loss="squared", **{name: np.ones(3)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("learning_rate", rate) for rate in (0.0, -1.0, *NOT_FINITE)),
        *(("mu", mu) for mu in (0.0, -1.0, *NOT_FINITE)),
        ("steps", -1),
        ("n_threads", 0),
    ],
)
@pytest.mark.parametrize("algorithm", ["halp", "sgd"])
def test_epochs(algorithm, name, value):
    solver = LinearSolver(X, Y, loss="squared", algorithm=algorithm)
    solver.epoch(0.1, 5)
    weights, measurement = solver.weights(), solver.measurement
    with pytest.raises(ValueError, match="threads" if name == "n_threads" else name):
        solver.epoch(**{"learning_rate": 0.1, "steps": 5, name: value})
    np.testing.assert_array_equal(solver.weights(), weights)
    assert solver.measurement == measurement
    solver.epoch(0.1, 5)
    assert solver.measurement != measurement


def test_a_weight_range_that_float32_cannot_hold():
    with pytest.raises(ValueError, match="weight_range"):
        LinearSolver(X, Y, loss="squared", algorithm="lp_sgd", weight_range=1e300)


def test_features_are_copied():
    x = X.copy()
    solver = LinearSolver(x, Y, loss="squared")
    x[:] = 1e9
    other = LinearSolver(X, Y, loss="squared")
    assert solver.epoch(0.1, 20)["loss"] == other.epoch(0.1, 20)["loss"]
    np.testing.assert_array_equal(solver.weights(), other.weights())


@pytest.mark.parametrize("first, rows", [(-1, 3), (50, 1), (0, 51), (49, 2), (0, 0), (0, 1.5)])
def test_samples_that_are_not_there(first, rows):
    solver = LinearSolver(X, Y, loss="squared")
    assert solver.largest_eigenvalue(0, 50) > 0
    with pytest.raises(ValueError, match="first|rows"):
        solver.largest_eigenvalue(first, rows)


@pytest.mark.parametrize(
    "wrong",
    [lambda c: c[:3], lambda c: c.astype(np.float32), lambda c: np.stack([c, c], 1)[:, 0], list],
)
def test_columns_of_another_array(wrong):
    found = survey(X)
    for name in ("low", "high", "squares"):
        changed = dataclasses.replace(found, **{name: wrong(getattr(found, name))})
        with pytest.raises(ValueError, match=r"columns must be what survey\(x\) returns"):
            LinearSolver(X, Y, loss="squared", columns=changed)


@pytest.mark.parametrize("centres", [np.ones(3), np.full(4, np.nan), np.ones(4, complex)])
def test_centres(centres):
    with pytest.raises(ValueError, match="column_centres"):
        LinearSolver(X, Y, loss="squared", column_centres=centres)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_solver_cannot_be_copied(make):
    """It owns memory of the engine's, which is freed with it."""
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        make(LinearSolver(X, Y, loss="squared"))


def test_initial_weights_whose_squares_overflow():
    with pytest.raises(ValueError, match=r"initial must have magnitudes up to 1e\+150"):
        LinearSolver(X, Y, loss="squared", initial=np.full((1, 4), 1e308))
