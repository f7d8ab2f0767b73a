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

from quant_ops import LinearSolver

CURVATURE = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}
_MARGIN = 1.1  # the largest L_B of all batches is above the largest of a few
_SETS = 8  # batches, fewer if they are large
_FEW, _MANY, _ELEMENTS = 64, 4096, 1 << 22  # a set has _FEW rows, or up to _MANY and _ELEMENTS


def automatic_learning_rate(
    solver: LinearSolver,
    shape: tuple[int, int],
    *,
    loss: str,
    batch_size: int,
    largest_penalty: float = 0.0,
) -> float:
    """1 / (2 L(b)), or 1 where the loss has no curvature at all.

    Args:
        solver: of X, the sample weights and the columns' scales; it finds the eigenvalues in its
            own copy of the data.
        shape: (n, d) of X.
        loss: "squared", "logistic" or "softmax".
        batch_size: b.
        largest_penalty: of the scaled columns' weights.
    """
    n, b = shape[0], min(batch_size, shape[0])
    expected = of_batches = solver.largest_row
    if b > 1:
        of_all, of_batches = (
            _MARGIN * max(_eigenvalues(solver, shape, rows, sets))
            for rows, sets in ((n, 1), (b, _SETS))
        )
        share = (n - b) / (b * (n - 1))
        expected = share * solver.largest_row + (1 - share) * min(of_all, solver.largest_row)
    smoothness = CURVATURE[loss] * max(expected, of_batches) + largest_penalty
    return 0.5 / smoothness if smoothness > 0 else 1.0


def _eigenvalues(solver: LinearSolver, shape: tuple[int, int], rows: int, sets: int) -> list[float]:
    """λ_max(1/m Σ s_i x_i x_iᵀ) for each of `sets` sets of m rows; m is `rows`, or fewer.

    λ_max is convex, so for fewer rows it is larger in expectation: an estimate on the safe side.
    """
    n, d = shape
    m = min(rows, max(_FEW, min(_MANY, _ELEMENTS // d)))
    count = 1 if m == n else min(sets, max(2, _ELEMENTS // (m * d)), n // m)
    # Rows of batches, far apart in their order, which is random.
    return [solver.largest_eigenvalue((n // m) * k // count * m, m) for k in range(count)]
