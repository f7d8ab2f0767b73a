"""Statistics of one tensor, by hand, and in any number of batches."""

import math

import numpy as np
import pytest

from tq_halp.analysis.running_statistics import Tally
from tq_halp.analysis.suggest_frac_bits import FractionBits

# As fixed_point(4, 2): steps of 0.25 from -2 to 1.75.
X = np.float32([-3, -1, -0.1, 0, 0.1, 0.6, 1, 5, np.nan, np.inf])
Q = np.float32([-2, -1, 0, 0, 0, 0.5, 1, 1.75, np.nan, 1.75])


def tally_of(*batches, limits=(-2.0, 1.75)):
    tally = Tally(limits, FractionBits(4))
    for x, quantized in batches:
        tally.add(x, quantized)
    return tally


def test_by_hand():
    tally = tally_of((X, Q))
    assert (tally.count, tally.nonfinite, tally.min, tally.max) == (8, 2, -3, 5)
    assert tally.saturation == 2 / 8  # -3 and 5
    assert tally.underflow == 2 / 8  # -0.1 and 0.1
    signal = 9 + 1 + 0.01 + 0.01 + 0.36 + 1 + 25
    noise = 1 + 0.01 + 0.01 + 0.01 + 3.25**2
    # float32 holds 0.1 and 0.6 to within 1e-8.
    assert tally.sqnr_db == pytest.approx(10 * math.log10(signal / noise), abs=1e-6)


def test_a_limit_itself_is_not_beyond_it():
    assert tally_of((np.float32([-2, 1.75]),) * 2).saturation == 0


def test_without_limits():
    assert tally_of((X, Q), limits=None).saturation is None


@pytest.mark.parametrize("x", [np.zeros([0, 3], np.float32), np.float32([np.nan])])
def test_nothing_finite(x):
    tally = tally_of((x, x))
    assert (tally.count, tally.saturation, tally.underflow, tally.sqnr_db) == (0, None, None, None)
    assert tally.magnitudes.counts == {} and not tally.values.counts.any()


def test_exact_and_zero():
    assert tally_of((Q[:8], Q[:8])).sqnr_db == math.inf
    assert tally_of((np.zeros(4), np.zeros(4))).sqnr_db is None


def test_values_are_binned_as_all_at_once():
    draw = np.random.default_rng(0)
    batches = [size * draw.standard_normal([5, 40]) for size in (1e-3, 0, 1, 1e-6, 900, 0.3)]
    tally = tally_of(*((x, x) for x in batches))
    x = np.concatenate([batch.ravel() for batch in batches])
    edges = tally.values.edges
    assert len(edges) == 129
    radius = 2.0 ** math.ceil(math.log2(np.abs(x).max()))
    assert (edges == np.linspace(-radius, radius, 129)).all()
    assert (tally.values.counts == np.histogram(x, edges)[0]).all()
    assert tally.values.counts.sum() == len(x)


def test_all_zero_values_have_a_bin():
    tally = tally_of((np.zeros(7), np.zeros(7)))
    assert tally.values.counts.tolist() == [0] * 64 + [7] + [0] * 63


def test_magnitudes():
    tally = tally_of((np.float64([0, 1, -1.99, 0.25, 2, 5e-324, 0.3]),) * 2)
    counts = tally.magnitudes.counts
    assert {e: n for e, n in counts.items() if n} == {-1074: 1, -2: 2, 0: 2, 1: 1}
    assert list(counts) == list(range(-1074, 2))


def test_pieces_and_batches_are_one():
    """A tensor is worked on in pieces, and memory does not grow with what was seen."""
    x = np.random.default_rng(1).standard_normal(200_000).astype(np.float32)
    q = np.rint(x * 4) / 4
    whole, parts = tally_of((x, q)), tally_of(*zip(np.split(x, 8), np.split(q, 8), strict=True))
    for name in ("count", "min", "max", "saturation", "underflow"):
        assert getattr(whole, name) == getattr(parts, name)
    assert whole.sqnr_db == pytest.approx(parts.sqnr_db, rel=1e-12)
    assert (whole.values.counts == parts.values.counts).all()
    assert whole.magnitudes.counts == parts.magnitudes.counts
    assert whole.suggestion.best == parts.suggestion.best
