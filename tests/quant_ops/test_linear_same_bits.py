"""The same weights for any number of threads.

For any instruction set and in another process: in test_random_bits_of_ops.py, where there is one.
"""

import linear_runs
import pytest


@pytest.fixture(scope="module")
def expected():
    return linear_runs.results()


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads(expected, n_threads):
    found = linear_runs.results(n_threads)
    assert {key for key, value in found.items() if value != expected[key]} == set()
    assert len(set(expected.values())) == len(expected) == 54
