"""The rule for a range that needs no gradient, on numbers that can be checked by hand."""

import keras
import numpy as np
import pytest

from tq_halp.algorithms.iterates.displacement_rule import FINE, costs, factors, next_half_widths
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups
from tq_halp.algorithms.planned_rates import PlannedRates


def following(offsets, r, largest_code, ratio=1.0):
    """r of the next segment, for one group."""
    groups = ScaleGroups([(len(offsets),)], "per_tensor")
    half_widths = np.array([r])
    found = costs(groups, [np.array(offsets)], half_widths, largest_code)
    return next_half_widths(groups, half_widths, found, [ratio], largest_code)[0]


def test_without_rounding_noise_the_narrowest_range_that_cuts_nothing_off():
    """Of 7/4, 7/√8, 7/2, ...; a larger rate moves the weights further."""
    assert following([3.0, -1.0], 7.0, FINE) == 3.5
    assert following([3.0, -1.0], 7.0, FINE, ratio=2.0) == 7.0
    assert following([7.0, -1.0], 7.0, FINE) == 14.0, "what was at the edge goes twice as far"


def test_noise_narrows_a_range_by_hand():
    """3 bits, all |z| = 1: 2q/3 + max(1 − q, 0)² for an offset is least at q = 2/3; 3/4 is next."""
    assert following([1.0, -1.0, 1.0], 3.0, 3.0) == 0.75
    # With 10 bits: 2q/511 + max(1 − q, 0)² is 2·1.06/511 at 3/√8, and more than 1/16 at 3/4.
    assert following([1.0, -1.0, 1.0], 3.0, 511.0) == pytest.approx(3 / 8**0.5)


@pytest.mark.parametrize("largest_code", [3.0, 7.0, 127.0])
def test_range_is_the_cheapest_of_its_candidates(largest_code):
    z = np.random.default_rng(0).standard_t(3, size=500)
    r, ratio = 4.0, 0.7
    z = np.clip(z, -r, r)
    reach = ratio * np.where(np.abs(z) == r, 2 * r, np.abs(z))
    candidates = [ratio * r * 2 ** (k / 2) for k in range(-4, 5)]
    costs = [sum(2 * q / largest_code * a + max(a - q, 0) ** 2 for a in reach) for q in candidates]
    want = candidates[int(np.argmin(costs))]
    assert following(z, r, largest_code, ratio) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("size", [1, 500, 2**19 + 3])
def test_costs_are_those_of_the_formula(size):
    """Also of a tensor so large that it comes in parts."""
    z = np.random.default_rng(0).standard_t(3, size=size).astype("float32")
    groups, widths = ScaleGroups([(size,)], "per_tensor"), np.array([4.0])
    z = np.clip(z, -4, 4)
    got = costs(groups, [z], widths, 7.0)
    a = np.where(np.abs(z) == 4, 8.0, np.abs(z)).astype(np.float64)
    want = [2 * q / 7 * a.sum() + (np.maximum(a - q, 0) ** 2).sum() for q in 4 * factors(7.0)]
    np.testing.assert_allclose(got[:, 0], want, rtol=1e-12)


def test_weights_that_never_move_do_not_matter():
    """The rows of an embedding that no sample has reached."""
    moving = list(np.random.default_rng(0).normal(size=50))
    for largest_code in (3.0, 127.0):
        want = following(moving, 4.0, largest_code)
        assert following([0.0] * 5000 + moving, 4.0, largest_code) == want


def test_two_bits_follow_the_rates_and_widen_when_crowded():
    """On the codes -1, 0, 1 a walk that goes nowhere is at the edge for 2/3 of its time."""

    def with_at_edge(count, size):
        return following([1.0] * count + [0.0] * (size - count), 1.0, 1.0, ratio=0.5)

    assert with_at_edge(66, 100) == 0.5
    assert with_at_edge(77, 100) == 1.0, "more than 2/3 · 100 + √100"
    assert with_at_edge(4, 4) == 0.5, "of four offsets, chance"
    assert with_at_edge(0, 100) == 0.5


def test_a_range_in_which_nothing_has_moved_follows_the_rates():
    for largest_code in (1.0, 7.0, FINE):
        assert following([0.0, 0.0], 2.0, largest_code, ratio=0.25) == 0.5
    assert following([0.0], 0.0, 7.0) == 0.0


def test_a_group_of_several_tensors_follows_the_largest_rate():
    widths = np.array([1.0, 2.0, 3.0])
    channels = ScaleGroups([(4, 2), (5,)], "per_channel")
    unknown = np.zeros((9, 3))
    got = next_half_widths(channels, widths, unknown, [0.5, 2.0], 127.0)
    np.testing.assert_array_equal(got, [0.5, 1.0, 6.0])
    shared = ScaleGroups([(4, 2), (5,)], "global")
    got = next_half_widths(shared, widths[:1], unknown[:, :1], [0.5, 2.0], 127.0)
    np.testing.assert_array_equal(got, [2.0])


def test_channels_have_ranges_of_their_own():
    z = np.array([[3.0, 0.1], [-1.0, 0.2]])
    groups = ScaleGroups([(2, 2)], "per_channel")
    widths = np.full(2, 7.0)
    got = next_half_widths(groups, widths, costs(groups, [z], widths, FINE), [1.0], FINE)
    np.testing.assert_array_equal(got, [3.5, 1.75])


# ---- rates ahead -----------------------------------------------------------------------------


def means(optimizer, first, steps, *variables):
    optimizer.build(variables)
    return PlannedRates().means(optimizer, variables, first, steps)


@pytest.mark.parametrize("accumulated", [None, 2])
def test_mean_of_a_schedule_over_the_steps_to_come(accumulated):
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 90, warmup_target=0.5, warmup_steps=10)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=accumulated)
    weight = keras.Variable(1.0)
    optimizer.build([weight])
    for _ in range(6):
        optimizer.apply([keras.ops.ones(())])
    for first, steps in ((0, 20), (-4, 8)):
        want = np.mean([float(schedule(6 + first + k)) for k in range(steps)])
        got = PlannedRates().means(optimizer, [weight], first, steps)
        np.testing.assert_allclose(got, [want], rtol=1e-6)


def test_mean_over_a_long_segment_is_of_evenly_spaced_steps():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10_000, end_learning_rate=0.0)
    (got,) = means(keras.optimizers.SGD(schedule), 0, 10_000, keras.Variable(1.0))
    assert got == pytest.approx(0.5, abs=1e-3)


def test_a_rate_set_by_hand_stays():
    optimizer, weight = keras.optimizers.Adam(0.5), keras.Variable(1.0)
    np.testing.assert_array_equal(means(optimizer, 0, 100, weight), [0.5])
    optimizer.learning_rate = 0.25
    np.testing.assert_array_equal(PlannedRates().means(optimizer, [weight], 0, 100), [0.25])
