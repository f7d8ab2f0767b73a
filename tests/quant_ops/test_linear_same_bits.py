"""The same weights for any number of threads, any instruction set, and in another process."""

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("instruction_set", ["portable", "avx2"])
def test_instruction_sets(expected, instruction_set):
    """Where this process has AVX-512, that is a third."""
    done = subprocess.run(
        [sys.executable, str(Path(linear_runs.__file__))],
        env=os.environ | {"QUANT_OPS_ISA": instruction_set},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [linear_runs.digest(expected)]
