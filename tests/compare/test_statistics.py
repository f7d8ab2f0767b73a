"""Means, errors and paired differences against SciPy's and numbers by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from tq_halp.commands.compare.statistics import Mean, compare, mean_of, student_p


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 30, 101])
def test_student_is_scipys(degrees):
    for t in (0.0, 1e-3, -0.7, 1.0, -2.5, 12.0, 400.0):
        # 1 - P(|T| < t): what is left of a difference from 1 is right to a few ulp of 1.
        expected = 2 * stats.t.sf(abs(t), degrees)
        assert student_p(t, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_paired_is_scipys():
    generator = np.random.default_rng(0)
    for n in (2, 3, 5, 8):
        ours, theirs = generator.normal(size=n), generator.normal(0.5, size=n)
        found = compare(list(zip(ours, theirs, strict=True)))
        expected = stats.ttest_rel(ours, theirs)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.difference.value == pytest.approx(np.mean(ours - theirs), rel=1e-12)
        assert found.difference.error == pytest.approx(stats.sem(ours - theirs), rel=1e-12)
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
