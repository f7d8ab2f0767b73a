"""The fraction length that loses least, against every fraction length tried on all of the data."""

import math

import numpy as np
import pytest

from tq_halp.analysis.suggest_frac_bits import FINER, FractionBits, decibels


def error(x, f, word_bits, signed):
    """E(f) from its definition."""
    low, high = (
        (-(2 ** (word_bits - 1)), 2 ** (word_bits - 1) - 1) if signed else (0, 2**word_bits - 1)
    )
    quantized = np.clip(np.rint(np.ldexp(x, f)), low, high)
    return float(np.sum((x - np.ldexp(quantized, -f)) ** 2))


def covers(x, f, word_bits, signed):
    low, high = (
        (-(2 ** (word_bits - 1)), 2 ** (word_bits - 1) - 1) if signed else (0, 2**word_bits - 1)
    )
    above, below = np.max(x, initial=0), np.min(x, initial=0)
    return (high == 0 or above <= np.ldexp(high, -f)) and (low == 0 or below >= np.ldexp(low, -f))


def found(batches, word_bits=8, signed=True):
    suggestion = FractionBits(word_bits, signed)
    for batch in batches:
        suggestion.add(np.asarray(batch, np.float64))
    return suggestion


@pytest.mark.parametrize(
    "x, word_bits, covering, best",
    [
        ([0.5, -0.25, 0.75], 8, 7, 7),  # exact from 2 on: the one that covers, not the coarsest
        ([1.0], 8, 6, 6),  # 128/128 is not a code
        ([-1.0], 8, 7, 7),  # -128/128 is
        ([0.995], 8, 6, 7),  # 127/128 = 0.9922 is nearer than 64/64
        ([0.999], 8, 6, 6),  # and here it is not
        ([100.0, -3.0], 8, 0, 0),
        ([300.0], 8, -2, -2),  # 75 * 4
        ([3e-5], 16, 30, 30),  # 32767 * 2^-30 = 3.05e-5; 2^-31 would end at 1.53e-5
        ([0.7] * 100 + [1.9], 3, 0, 2),  # 1.9 becomes 0.75 too, but 0.7 does what it can
    ],
)
def test_by_hand(x, word_bits, covering, best):
    suggestion = found([x], word_bits)
    assert (suggestion.covering, suggestion.best) == (covering, best)


def test_exact_is_infinite_and_nothing_is_none():
    assert found([[0.5, -0.25]]).sqnr_db == math.inf
    for nothing in (found([]), found([[0.0, 0.0]]), found([[-1.0, -2.0]], signed=False)):
        assert (nothing.covering, nothing.best, nothing.sqnr_db) == (None, None, None)
    assert decibels(0.0, 1.0) is None


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("word_bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (1e-9, 1, 1e-3), (300, 1e-12, 2), (1e-20, 3e-7, 70, 7e9), (0, 0.5, 0)],
    ids=str,
)
def test_as_if_all_was_known_at_once(sizes, word_bits, signed):
    """Batches of very different sizes, each of normal values, a few of them far out."""
    draw = np.random.default_rng(word_bits)
    batches = [size * draw.standard_normal(200) ** 3 for size in sizes]
    suggestion, x = found(batches, word_bits, signed), np.concatenate(batches)
    assert covers(x, suggestion.covering, word_bits, signed)
    assert not covers(x, suggestion.covering + 1, word_bits, signed)
    first = suggestion.covering
    errors = {f: error(x, f, word_bits, signed) for f in range(first - 20, first + FINER + 1)}
    assert suggestion.best >= first
    # The sums are of the same terms in another order.
    assert errors[suggestion.best] == pytest.approx(min(errors.values()), rel=1e-12)
    expected = 10 * math.log10(np.sum(x**2) / errors[suggestion.best])
    assert suggestion.sqnr_db == pytest.approx(expected, abs=1e-9)


def test_the_ends_of_what_fixed_point_takes():
    assert found([[1e-300]]).best == 512
    assert found([[1e300]]).best == -512
    assert found([[1e300]]).sqnr_db is None  # its square is beyond floats
