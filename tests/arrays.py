"""The numbers that tests feed to layers and models."""

import numpy as np


def floats(*shape, seed=0):
    """Normally distributed, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
