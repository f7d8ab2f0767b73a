"""Means, errors and paired differences against SciPy's and numbers by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from tq_halp.commands.compare.statistics import Mean, compare, holm, mean_of


def test_paired_is_scipys():
    generator = np.random.default_rng(0)
    for n in (2, 3, 5, 8):
        ours, theirs = generator.normal(size=n), generator.normal(0.5, size=n)
        found = compare(list(zip(ours, theirs, strict=True)))
        expected = stats.ttest_rel(ours, theirs)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.difference.value == pytest.approx(np.mean(ours - theirs), rel=1e-12)
        assert found.difference.error == pytest.approx(stats.sem(ours - theirs), rel=1e-12)
        assert found.interval == pytest.approx(tuple(expected.confidence_interval()), rel=1e-9)
        assert found.wins == np.sum(ours < theirs) and found.losses == np.sum(ours > theirs)


def test_mean_by_hand():
    found = mean_of([1.0, 2.0, 6.0])
    assert (found.value, found.count) == (3.0, 3)
    assert found.error == math.sqrt((4 + 1 + 9) / 2 / 3)
    assert mean_of([0.8, 0.8, 0.8]) == Mean(0.8, 0.0, 3)
    assert mean_of([4.0]).error is None and mean_of([]) is None
    assert math.isnan(mean_of([1.0, math.inf]).error)


def test_a_failed_run_loses_its_pair_and_is_in_no_mean():
    found = compare([(1.0, 2.0), (None, 2.0), (3.0, None), (None, None), (5.0, 5.0)])
    assert (found.wins, found.ties, found.losses, found.count) == (2, 1, 1, 5)
    assert (found.difference.value, found.difference.count) == (-0.5, 2)


def test_an_accuracy_is_better_where_it_is_higher():
    pairs = [(0.9, 0.8), (0.7, 0.8)]
    assert (compare(pairs, higher_is_better=True).wins, compare(pairs).wins) == (1, 1)
    assert compare(pairs[:1], higher_is_better=True).wins == 1 and compare(pairs[:1]).wins == 0


def test_without_spread():
    assert compare([(1.0, 1.0), (2.0, 2.0)]).p == 1.0
    assert compare([(1.0, 2.0), (2.0, 3.0)]).p == 0.0
    assert compare([(1.0, 2.0)]).p is None and compare([(None, 2.0)]).p is None
    found = compare([(1.0, 2.0), (2.0, 3.0)])
    assert (found.interval, found.effect) == ((-1.0, -1.0), None)


def test_interval_by_hand():
    """1, 2, 3: mean 2, standard deviation 1; t(0.975, 2) = 4.302653 in every table."""
    found = compare([(1.0, 0.0), (2.0, 0.0), (3.0, 0.0)])
    half = 4.302653 / math.sqrt(3)
    assert found.interval == pytest.approx((2 - half, 2 + half), abs=1e-6)
    assert found.effect[0] == pytest.approx(2)


@pytest.mark.parametrize("mean", [0.0, 0.4, -2.0, 7.0])
def test_an_effect_at_the_ends_of_its_interval_is_just_not_refuted(mean):
    """By T = (Z + δ) / √(χ² / ν), drawn a million times."""
    differences = mean + np.array([-1.0, 0.5, 1.0, -0.5, 0.0])
    effect, low, high = compare([(d, 0.0) for d in differences]).effect
    assert effect == pytest.approx(mean / np.std(differences, ddof=1))
    draw, root = np.random.default_rng(0), math.sqrt(5)
    normal, square = draw.normal(size=1_000_000), draw.chisquare(4, size=1_000_000)
    for end, tail in ((low, 0.975), (high, 0.025)):
        share = np.mean((normal + end * root) / np.sqrt(square / 4) <= effect * root)
        assert share == pytest.approx(tail, abs=1e-3)


def test_an_effect_beyond_measure():
    """Where SciPy's inverse gives way to its limit the interval goes on as it was."""
    below, above = (
        compare([(mean + d, 0.0) for d in (-1.0, 0.0, 1.0)]).effect for mean in (577.0, 578.0)
    )
    assert below[0] * math.sqrt(3) < 1000 < above[0] * math.sqrt(3)
    assert above == pytest.approx(below, rel=3e-3)
    turned = compare([(d - 578.0, 0.0) for d in (-1.0, 0.0, 1.0)]).effect
    assert turned == pytest.approx((-above[0], -above[2], -above[1]))


def test_holm_by_hand():
    # 4 · .01, 3 · .015, 2 · .03, 1 · .04; what is below the one before is raised to it.
    assert holm([0.03, 0.01, 0.04, 0.015]) == pytest.approx([0.06, 0.04, 0.06, 0.045])
    assert holm([0.5, 0.9, 0.4]) == pytest.approx([1.0, 1.0, 1.0])
    # One that could not be tested is not of the family.
    assert holm([0.02, None, 0.04]) == pytest.approx([0.04, None, 0.04])
    assert holm([]) == [] and holm([None]) == [None]
