"""Problems that 8 bits hold exactly, and their optima by other means."""

import numpy as np


def exact_features(n, d, seed=0, column_scales=1.0):
    """Multiples of 1/16 up to 127/16 in every column, times a column's scale: what 8 bits hold, per
    tensor (scales of 1) or per feature, and an intercept's 1 beside them."""
    draw = np.random.default_rng(seed)
    integers = np.clip(np.rint(32 * draw.standard_normal((n, d))), -127, 127)
    integers[draw.integers(0, n, d), np.arange(d)] = 127
    return integers / 16 * column_scales


def regression(n=600, d=12, seed=0, noise=0.5, **kwargs):
    """X, y of a linear model with an intercept of 3."""
    x = exact_features(n, d, seed, **kwargs)
    draw = np.random.default_rng(seed + 1)
    scales = np.std(x, axis=0)
    return x, x @ (draw.standard_normal(d) / scales) + 3 + noise * draw.standard_normal(n)


def classification(n=600, d=12, classes=2, seed=0):
    """X and class indices that no plane separates."""
    x = exact_features(n, d, seed)
    draw = np.random.default_rng(seed + 1)
    scores = x @ draw.standard_normal((d, classes)) / np.sqrt(d) + draw.standard_normal(classes)
    return x, np.argmax(scores + 2 * draw.gumbel(size=scores.shape), axis=1)


def weights_of(n, seed=7):
    """Sample weights, some of them 0."""
    return np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0], n)


def ridge(x, y, l2, weights=None, intercept=True):
    """Coefficients and intercept of the weighted, penalised normal equations; the Hessian's
    smallest eigenvalue; the gradient's norm at zero."""
    p = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    x = np.column_stack([x, np.ones(len(x))]) if intercept else x
    penalty = np.full(x.shape[1], l2)
    if intercept:
        penalty[-1] = 0
    hessian = (x * p[:, None]).T @ x + np.diag(penalty)
    slope = x.T @ (p * y)
    w = np.linalg.solve(hessian, slope)
    found = (w[:-1], w[-1]) if intercept else (w, 0.0)
    return *found, np.linalg.eigvalsh(hessian)[0], np.linalg.norm(slope)
