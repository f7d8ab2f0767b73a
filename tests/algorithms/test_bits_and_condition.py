"""The experiment on bits and condition numbers: its problem is what it says, and HALP solves it."""

import importlib

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("experiments.bits_and_condition.run")


@pytest.fixture
def floatx_afterwards():
    yield
    keras.utils.clear_session(free_memory=False)
    keras.config.set_floatx("float32")


@pytest.mark.parametrize("kappa", [4, 256])
def test_condition_number_is_exact(script, kappa):
    ridge = script.Ridge(kappa)
    each = [np.outer(x, x) + ridge.decay * np.eye(x.size) for x in ridge.x]
    largest = [np.linalg.eigvalsh(hessian)[-1] for hessian in each]
    np.testing.assert_allclose(largest, ridge.smoothness, rtol=1e-12)
    smallest = np.linalg.eigvalsh(np.mean(each, axis=0))[0]
    assert largest[0] / smallest == pytest.approx(kappa, rel=1e-9)
    assert ridge.convexity == pytest.approx(smallest, rel=1e-9)


def test_gap_is_what_the_objective_is_above_its_minimum(script):
    ridge = script.Ridge(16)

    def objective(w):
        squares = np.sum((ridge.x @ w - ridge.y) ** 2) / len(ridge.x)
        return (squares + ridge.decay * np.sum(w**2)) / 2

    w = np.random.default_rng(1).normal(size=ridge.optimum.shape)
    above = objective(w) - objective(ridge.optimum)
    assert ridge.gap(w) == pytest.approx(above, rel=1e-9) and ridge.gap(ridge.optimum) == 0


def test_enough_bits_converge_and_too_few_do_not(script, floatx_afterwards):
    enough = script.train(4, "known", "last", 8)
    assert script.converges(enough) and enough[-1] < 1e-6
    with pytest.warns(UserWarning, match="edge of their 2-bit grid"):
        too_few = script.train(4, "known", "last", 2)
    assert not script.converges(too_few)


def test_fewest_bits_are_those_above_which_all_converge(script):
    def rows(converging, mu):
        return [
            {"kappa": 4, "mu": mu, "iterate": "last", "word_bits": bits, "gap": gap}
            for bits, good in converging.items()
            for gap in [1.0, *[0.5] * (script.OUTER - 1), 1e-3 if good else 0.9]
        ]

    # The shortest of these lengths was luck; and one run that ended early diverged.
    made = rows({2: True, 3: False, 4: True, 5: True}, "known")
    made += rows({2: False, 3: True}, "auto")[:-1]
    assert script.fewest_bits(made) == {(4, "known", "last"): 4, (4, "auto", "last"): None}
