"""The automatic learning rate: half the inverse smoothness of the minibatch losses.

A step of SVRG on batch B of b samples moves along ∇f_B, which is L_B-smooth with

    L_B = c λ_max(1/b Σ_{i in B} s_i x_i x_iᵀ) + max_j l2_j

where c bounds the second derivative of the loss (1 squared, 1/4 logistic, 1/2 softmax) and s_i are
the sample weights, of mean 1. In expectation over batches without replacement (Gower et al.)

    L(b) ≤ (n − b) / (b (n − 1)) L_max + n (b − 1) / (b (n − 1)) L

with L_max the largest c s_i ‖x_i‖² and L the smoothness of all data. An outlier contributes
L_max / b, as it must: in its own direction, one batch has all the curvature. L and a few L_B are
estimated from a part of the data, and the larger of L(b) and the L_B is used. SVRG converges for
rates up to 1 / L(b), and fastest per step near half of that: the variance that an epoch adds is
α L(b) / (2 − α L(b)) of what is left, one third.

Gower, Loizou, Qian, Sailanbayev, Shulgin, Richtárik, *SGD: General Analysis and Improved Rates*,
arXiv 1901.09401, Section 3.3. Johnson, Zhang, *Accelerating Stochastic Gradient Descent using
Predictive Variance Reduction*, 2013, Theorem 1.
"""

from collections.abc import Iterator

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear.input_arrays import blocks

CURVATURE = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}
_MARGIN = 1.1  # the largest L_B of all batches is above the largest of a few
_SETS = 8  # random sets of rows, fewer if they are large
_FEW, _MANY, _ELEMENTS = 64, 4096, 1 << 22  # a set has _FEW rows, or up to _MANY and _ELEMENTS
_COLUMNS = 1 << 16  # columns of _FEW rows at a time
_POWERS = 16  # steps of power iteration


def automatic_learning_rate(
    x: np.ndarray,
    weights: np.ndarray | None,
    *,
    loss: str,
    batch_size: int,
    column_scales: np.ndarray | None,
    intercept: bool,
    l2: float | np.ndarray,
    norms: np.ndarray | None = None,
) -> float:
    """1 / (2 L(b)), or 1 where the loss has no curvature at all.

    Args:
        x: [n, d], uint8 or floating.
        weights: sample weights [n] or None.
        loss: "squared", "logistic" or "softmax".
        batch_size: b.
        column_scales: factors of the columns [d], or None.
        intercept: whether there is one: a column of the constant `intercept_value`.
        l2: the penalty of the scaled columns' weights, [d] or a number.
        norms: `squared_norms` of x, if they are known.

    Raises:
        InputError: the squares of X, or their sum, overflow.
    """
    n, b = len(x), min(batch_size, len(x))
    s = np.ones(n) if weights is None else weights * (n / weights.sum())
    norms = squared_norms(x, column_scales) if norms is None else norms
    constant = intercept_value(norms, x.shape[1]) if intercept else 0.0
    largest = float(np.max(s * (norms + constant**2)))
    if not np.isfinite(largest):
        raise InputError("X must have rows whose squares can be added, divide it by its largest")
    expected = of_batches = largest
    if b > 1:
        of_all, of_batches = (
            _MARGIN * max(_smoothness(x, s, rows, sets, column_scales, constant))
            for rows, sets in ((n, 1), (b, _SETS))
        )
        share = (n - b) / (b * (n - 1))
        expected = share * largest + (1 - share) * min(of_all, largest)
    smoothness = CURVATURE[loss] * max(expected, of_batches) + float(np.max(l2, initial=0.0))
    return 0.5 / smoothness if smoothness > 0 else 1.0


def squared_norms(x: np.ndarray, column_scales: np.ndarray | None = None) -> np.ndarray:
    """‖x_i‖² of every row of x [n, d] times column_scales [d], float64 [n]."""
    result = np.empty(len(x))
    for rows in blocks(x):
        block = _scaled(x[rows], column_scales)
        with np.errstate(over="ignore"):
            result[rows] = np.einsum("ij,ij->i", block, block)
    return result


def intercept_value(norms: np.ndarray, features: int) -> float:
    """The constant in the intercept's column: the root mean square of X, 1 if that is 0."""
    return float(np.sqrt(np.mean(norms) / features)) or 1.0


def _smoothness(
    x: np.ndarray,
    s: np.ndarray,
    rows: int,
    sets: int,
    column_scales: np.ndarray | None,
    intercept: float,
) -> Iterator[float]:
    """λ_max(1/m Σ s_i x_i x_iᵀ) for each of `sets` random sets of m rows; m is `rows`, or fewer.

    λ_max is convex, so for fewer rows it is larger in expectation: an estimate on the safe side.
    """
    n, d = x.shape
    m = min(rows, max(_FEW, min(_MANY, _ELEMENTS // d)))
    find = _from_gram_matrix if m <= _FEW else _by_power_iteration
    draw = np.random.default_rng(0)
    for _ in range(1 if m == n else min(sets, max(2, _ELEMENTS // (m * d)))):
        rows = np.sort(draw.choice(n, m, replace=False))
        yield find(x, rows, np.sqrt(s[rows])[:, None], column_scales, intercept) / m


def _from_gram_matrix(
    x: np.ndarray,
    rows: np.ndarray,
    roots: np.ndarray,
    column_scales: np.ndarray | None,
    intercept: float,
) -> float:
    """λ_max of the weighted rows by the eigenvalues of their Gram matrix."""
    gram = intercept**2 * (roots @ roots.T)
    for start in range(0, x.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        scales = None if column_scales is None else column_scales[columns]
        block = _scaled(x[rows, columns], scales) * roots
        gram += block @ block.T
    return np.linalg.eigvalsh(gram)[-1]


def _by_power_iteration(
    x: np.ndarray,
    rows: np.ndarray,
    roots: np.ndarray,
    column_scales: np.ndarray | None,
    intercept: float,
) -> float:
    """λ_max of the weighted rows by power iteration, from below: _MARGIN covers that."""
    block = _scaled(x[rows], column_scales)
    block = np.column_stack([block, np.full(len(rows), intercept)]) * roots
    v, length = np.random.default_rng(1).standard_normal(block.shape[1]), 1.0
    for _ in range(_POWERS):
        v = block.T @ (block @ v)
        length = np.linalg.norm(v)
        v /= max(length, np.finfo(float).tiny)
    return length


def _scaled(block: np.ndarray, column_scales: np.ndarray | None) -> np.ndarray:
    """The block in float64, its columns scaled."""
    block = block.astype(np.float64)
    if column_scales is not None:
        block *= column_scales
    return block
