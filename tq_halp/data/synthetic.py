"""Synthetic linear regression with a known solution."""

import numpy as np

from tq_halp.data.dataset import Dataset, Examples


def linear_regression(
    *,
    samples: int = 1000,
    features: int = 100,
    noise: float = 0.1,
    seed: int = 0,
    limit: int | None = None,
) -> Dataset:
    """X ~ N(0, 1), y = X w* + noise·ε with w*, ε ~ N(0, 1); all float64.

    With the loss (1/2N)‖Xw − y‖² this is the strongly convex problem on which the convergence of
    the algorithms is documented. The data depend on `seed` alone, not on a run's seed, so that runs
    with several seeds solve one problem.

    Args:
        samples: rows of X, ≥ 1; as many again, but at most 1000, are drawn for validation.
        features: columns of X.
        noise: its standard deviation.
        seed: of the data.
        limit: maximum number of training rows.
    """
    draw = np.random.default_rng(seed)
    solution = draw.normal(size=(features, 1))

    def examples(count: int) -> Examples:
        x = draw.normal(size=(count, features))
        return x, x @ solution + noise * draw.normal(size=(count, 1))

    x, y = examples(samples)
    return Dataset(
        name="linear_regression",
        requested="linear_regression",
        train=(x[:limit], y[:limit]),
        validation=examples(min(samples, 1000)),
        source=f"generated, seed {seed}",
    )
