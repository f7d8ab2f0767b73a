"""The scale rule and the automatic μ, on numbers that can be checked by hand."""

import numpy as np
import pytest

from tq_halp.algorithms import bit_centering


def test_scale_is_the_papers():
    """δ = ‖g̃‖ / (μ (2^(b−1) − 1)); a zero gradient has scale zero."""
    got = bit_centering.scales(np.array([6.0, 0.0]), np.array([0.5, 0.5]), word_bits=3)
    np.testing.assert_array_equal(got, [6.0 / (0.5 * 3), 0.0])


def test_norms_per_tensor_and_global():
    gradient = [np.array([[3.0, 4.0]]), np.array([12.0])]
    np.testing.assert_array_equal(bit_centering.gradient_norms(gradient, "per_tensor"), [5, 12])
    np.testing.assert_array_equal(bit_centering.gradient_norms(gradient, "global"), [13, 13])


def test_cost_by_hand():
    """b = 3: δ = r/3. Sizes 1 and 4 in a box of 3: 1 · (1 + 4) + (4 − 3)² = 6."""
    assert bit_centering.displacement_cost(np.array([1.0, 4.0]), 3.0, word_bits=3) == 6.0


@pytest.mark.parametrize("word_bits", [3, 4, 8, 16])
def test_best_half_width_is_the_cheapest(word_bits):
    sizes = np.abs(np.random.default_rng(0).standard_t(3, size=1000))
    best = bit_centering.best_half_width(sizes, 64.0, 10, word_bits)
    costs = [bit_centering.displacement_cost(sizes, 64.0 / 2**i, word_bits) for i in range(11)]
    assert bit_centering.displacement_cost(sizes, best, word_bits) == min(costs)


def test_fewer_bits_accept_more_saturation():
    sizes = np.abs(np.random.default_rng(0).standard_t(3, size=1000))
    widths = [bit_centering.best_half_width(sizes, 64.0, 10, bits) for bits in (3, 8, 16)]
    assert widths[0] < widths[1] <= widths[2]


def test_next_box_widens_only_when_many_are_at_the_edge():
    many = np.full(100, 1.0)
    few = np.concatenate([np.full(9999, 0.1), [1.0]])
    assert bit_centering.next_half_width(many, 1.0, word_bits=8) > 1.0
    assert bit_centering.next_half_width(few, 1.0, word_bits=8) <= 1.0


def test_next_box_follows_the_offsets_but_not_in_one_leap():
    tiny = np.full(100, 1e-6)
    assert bit_centering.next_half_width(tiny, 1.0, word_bits=8) == 2.0**-bit_centering.OCTAVES


def test_a_widened_box_holds_as_many_steps_again_and_is_never_narrower():
    assert bit_centering.widened_half_width(np.full(10, 0.9), 1.0, word_bits=24) == 2.0
    assert bit_centering.widened_half_width(np.full(10, 1.0), 1.0, word_bits=24) == 4.0
    assert bit_centering.widened_half_width(np.full(10, 1e-9), 1.0, word_bits=8) == 1.0


def test_first_box_is_the_drift_of_the_steepest_coordinate():
    """Equal gradients, many bits: nothing to cut off, so the box is exactly αT|g̃|."""
    assert bit_centering.first_half_width(np.full(10, 0.2), 5.0, word_bits=24) == 1.0
    assert bit_centering.first_half_width(np.zeros(10), 5.0, word_bits=8) == 0.0
