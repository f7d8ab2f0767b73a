"""The scale rule and the automatic μ, on numbers that can be checked by hand."""

import numpy as np
import pytest

from tq_halp.algorithms.iterates import displacement_costs, offset_range_rule
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

ONE = ScaleGroups([(1000,)], "per_tensor")


AS_IT_IS = displacement_costs.Reach([1.0])


def one_group(*sizes):
    return ScaleGroups([(len(sizes),)], "per_tensor"), [np.array(sizes)]


def largest(word_bits):
    return 2.0 ** (word_bits - 1) - 1


def test_scale_is_the_papers():
    """δ = ‖g̃‖ / (μ (2^(b−1) − 1)); a zero gradient has scale zero."""
    got = offset_range_rule.scales(np.array([6.0, 0.0]), np.array([0.5, 0.5]), largest(3))
    np.testing.assert_array_equal(got, [6.0 / (0.5 * 3), 0.0])


def test_groups_by_hand():
    tensors = [np.array([[3.0, 4.0], [0.0, 12.0]]), np.array([1.0, 2.0])]
    want = {"per_tensor": [19, 3], "per_channel": [3, 16, 3], "global": [22]}
    most = {"per_tensor": [12, 2], "per_channel": [3, 12, 2], "global": [12]}
    for granularity, sums in want.items():
        groups = ScaleGroups([(2, 2), (2,)], granularity)
        np.testing.assert_array_equal(groups.each(lambda t, _: [t], tensors), [sums])
        np.testing.assert_array_equal(groups.largest(tensors), most[granularity])


def test_what_is_shared_spreads_over_its_tensors():
    values = np.array([1.0, 2.0, 3.0])
    groups = ScaleGroups([(5, 2), (7,)], "per_channel")
    np.testing.assert_array_equal(groups.of(values, 0), [1.0, 2.0])
    assert groups.of(values, 1) == 3.0
    assert ScaleGroups([(5, 2), (7,)], "global").of(values[:1], 1) == 1.0


def test_cost_by_hand():
    """b = 3: δ = r/3. Sizes 1 and 4 in a box of 3: 1 · (1 + 4) + (4 − 3)² = 6."""
    groups, sizes = one_group(1.0, 4.0)
    (cost,) = displacement_costs.displacement_costs(
        groups, sizes, AS_IT_IS, np.array([[3.0]]), largest(3)
    )
    np.testing.assert_array_equal(cost, [6.0])


@pytest.mark.parametrize("word_bits", [3, 4, 8, 16])
def test_best_half_width_is_the_cheapest(word_bits):
    sizes = [np.abs(np.random.default_rng(0).standard_t(3, size=1000))]
    widest, code = np.array([64.0]), largest(word_bits)
    best = displacement_costs.best_half_widths(ONE, sizes, AS_IT_IS, widest, 10, code)
    candidates = [best, *(widest / 2**i for i in range(11))]
    cost, *costs = displacement_costs.displacement_costs(ONE, sizes, AS_IT_IS, candidates, code)
    assert cost == min(costs)


def test_fewer_bits_accept_more_saturation():
    sizes = [np.abs(np.random.default_rng(0).standard_t(3, size=1000))]
    widest = np.array([64.0])
    widths = [
        displacement_costs.best_half_widths(ONE, sizes, AS_IT_IS, widest, 10, largest(bits))
        for bits in (3, 8, 16)
    ]
    assert widths[0] < widths[1] <= widths[2]


def widened(sizes, word_bits):
    groups, offsets = one_group(*sizes)
    return offset_range_rule.widened_half_widths(groups, offsets, np.ones(1), largest(word_bits))[0]


def test_a_widened_box_holds_as_many_steps_again_and_is_never_narrower():
    assert widened(np.full(10, 0.9), 24) == 2.0
    assert widened(np.full(10, 1.0), 24) == 4.0
    assert widened(np.full(10, 1e-9), 8) == 1.0


def test_first_box_is_the_drift_of_the_steepest_coordinate():
    """Equal gradients, many bits: nothing to cut off, so the box is exactly αT|g̃|."""
    for gradient, word_bits, want in ((0.2, 24, 1.0), (0.0, 8, 0.0)):
        groups, gradients = one_group(*np.full(10, gradient))
        got = offset_range_rule.first_half_widths(groups, gradients, 5.0, largest(word_bits))
        assert got == want


def pulled(offsets, gradients, step=1.0):
    groups, offsets = one_group(*offsets)
    steps = np.array([step])
    return offset_range_rule.pull(groups, offsets, [np.array(gradients)], np.ones(1), steps)[0]


def test_pull_by_hand():
    """At the edge −g z = 3; inside g z = 4, all of it noise (δ Σ|z| > Σ z²): (3 − 2) / (3 + 2)."""
    np.testing.assert_allclose(pulled([1.0, -0.5], [-3.0, -8.0]), 0.2)
    # A step of 0.25 can have made half of it: δ Σ|z| / Σ z² = 0.25 · 0.5 / 0.25.
    np.testing.assert_allclose(pulled([1.0, -0.5], [-3.0, -8.0], step=0.25), 2 / 4)


def test_what_pulls_a_box():
    assert pulled([1.0, 0.1], [-1.0, -1.0]) == 1.0, "the edge wants on, the rest is on its way"
    assert pulled([0.5, 0.1], [1.0, 1.0]) == -1.0, "nothing at the edge, and beyond the minimum"
    assert pulled([1.0, 0.1], [1.0, 1.0]) == -1.0, "what is at the edge wants back"
    assert pulled([0.5, 0.1], [-1.0, -1.0]) == 0.0, "on its way inside the box"
    assert pulled([0.0, 0.0], [1.0, 1.0]) == 0.0
    assert pulled([1.0, 0.1], [-1.0, 1.0], step=0.0) == 1.0, "rounding that no box can refine"


def test_moves_grow_on_the_way_and_shrink_at_every_turn():
    last, moves = np.zeros(1), []
    for pull in (-1.0, -0.1, 1.0, 1.0, 0.0, -1.0, 1.0, -1.0, 1.0):
        last = offset_range_rule.next_move(last, np.array([pull]))
        moves.append(float(last[0]))
    assert moves == [-2.0, -2.0, 1.0, 1.5, 1.5, -0.75, 0.375, -0.25, 0.25]


def test_boxes_follow_a_gradient_downwards_only():
    """r = ‖g‖/μ was 2: at half the norm it is 1; at 100 times the norm 2, or 6 if pulled."""
    norms, ones = np.array([0.5, 100.0, 100.0, 0.0]), np.ones(4)
    growth = np.array([1.0, 0.5, 3.0, 1.0])
    mu = offset_range_rule.next_mu(norms, ones / 2, 2 * ones, growth)
    np.testing.assert_allclose(norms / mu, [1.0, 2.0, 6.0, 0.0])
    # A box that was empty, since nothing reached its weights, may have any size.
    np.testing.assert_array_equal(offset_range_rule.next_mu(ones, ones, 0 * ones, ones), ones)
