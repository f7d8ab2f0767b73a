"""What holds for every test: fixed seeds, and no test that depends on the machine's speed."""

import os
import random
import sys

import hypothesis
import numpy as np
import pytest

# TensorFlow's C++ log on start-up would bury a failing test's own output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# derandomize: the same examples on every run. No deadline: tracing makes a first call slow.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Seeds every global generator, without importing what the test does not need."""
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
