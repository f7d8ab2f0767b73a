"""The theorems' numbers, against the inequalities that they come from."""

import math

import pytest

from tq_halp.algorithms import convergence_theory as theory


@pytest.mark.parametrize(("kappa", "dimension"), [(10, 10), (100, 100), (500, 2000)])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9])
def test_bits_are_the_fewest_with_a_number_of_steps(kappa, dimension, gamma):
    """The denominator of T must be positive: with b bits it is, with b − 1 it is not."""

    def denominator(bits):
        code = 2 ** (bits - 1) - 1
        return gamma**2 - 2 * kappa**2 * dimension * (1 + gamma) / code**2

    bits = theory.halp_bits(kappa, dimension, gamma)
    assert denominator(bits) > 0 >= denominator(bits - 1)
    steps = theory.halp_steps(kappa, dimension, gamma, bits)
    assert steps - 1 < 8 * kappa * (1 + gamma) / denominator(bits) <= steps
    with pytest.raises(ValueError, match=f"word_bits must be {bits} or more"):
        theory.halp_steps(kappa, dimension, gamma, bits - 1)


def test_many_bits_need_no_more_steps_than_svrg():
    assert theory.halp_steps(50, 100, 0.5, 40) == theory.svrg_steps(50, 0.5) == 2400
    assert theory.halp_steps(50, 100, 0.5, 13) > 2400


def test_step_and_floor_by_hand():
    assert theory.step_size(2.0, 0.5) == 0.5 / 12
    assert theory.low_precision_svrg_floor(100, 2.0**-5, 3.0, 0.5) == 600 * 2.0**-10 * 4


@pytest.mark.parametrize("gamma", [0.2, 0.7])
def test_step_and_steps_give_the_rate(gamma):
    """Johnson & Zhang (2013), theorem 1: γ = 1/(μα(1−2Lα)T) + 2Lα/(1−2Lα)."""
    smoothness, mu = 3.0, 0.1
    alpha, steps = (
        theory.step_size(smoothness, gamma),
        theory.svrg_steps(30, gamma),
    )
    free = 1 - 2 * smoothness * alpha

    def rate(steps):
        return 1 / (mu * alpha * free * steps) + 2 * smoothness * alpha / free

    assert rate(steps) <= gamma * (1 + 1e-12) < rate(steps - 1)


@pytest.mark.parametrize("wrong", [{"gamma": 1.0}, {"kappa": 0.5}, {"dimension": math.inf}])
def test_wrong_arguments(wrong):
    arguments = {"kappa": 10, "dimension": 10, "gamma": 0.5} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        theory.halp_bits(**arguments)
