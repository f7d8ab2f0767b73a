"""The conditions and bounds of the theorems about LP-SVRG and HALP, as plain functions.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383. The theorems assume that
each f_i is convex with an L-Lipschitz gradient, and that f is μ-strongly convex; κ = L/μ, and d is
the number of parameters. Snapshots are those of option II. The step size is α = γ / (4L(1 + γ)),
where γ, 0 < γ < 1, is the factor by which E[f − f*] shrinks from snapshot to snapshot:

    LP-SVRG  T ≥ 8κ(1+γ)/γ²             E[f(w̃_{K+1}) − f*] ≤ γ^K (f(w̃_1) − f*) + 2dδ²L/(γ(1−γ))
    HALP     T ≥ 8κ(1+γ)/(γ² − 2κ²d(1+γ)(2^(b−1)−1)^(−2))      ... ≤ γ^K (f(w̃_1) − f*)
             b > 1 + log2(1 + √(2κ²d(1+γ)/γ²))

These are worst cases: where the theorem asks for 9 to 18 bits, 8 are enough in practice.
"""

import math

from tq_halp.errors import InputError


def step_size(smoothness: float, gamma: float) -> float:
    """α = γ / (4L(1 + γ)).

    Args:
        smoothness: L > 0.
        gamma: γ, 0 < γ < 1.

    Raises:
        InputError: an argument is not one of the above.
    """
    _check(smoothness=smoothness, gamma=gamma)
    return gamma / (4 * smoothness * (1 + gamma))


def halp_bits(kappa: float, dimension: int, gamma: float) -> int:
    """The smallest b with b > 1 + log2(1 + √(2κ²d(1+γ)/γ²)).

    Args:
        kappa: κ ≥ 1.
        dimension: d ≥ 1.
        gamma: γ, 0 < γ < 1.

    Raises:
        InputError: an argument is not one of the above.
    """
    _check(kappa=kappa, dimension=dimension, gamma=gamma)
    bound = 1 + math.log2(1 + math.sqrt(2 * kappa**2 * dimension * (1 + gamma) / gamma**2))
    return math.floor(bound) + 1


def halp_steps(kappa: float, dimension: int, gamma: float, word_bits: int) -> int:
    """The smallest T with T ≥ 8κ(1+γ)/(γ² − 2κ²d(1+γ)(2^(b−1)−1)^(−2)).

    Args:
        kappa, dimension, gamma: as for ``halp_bits``.
        word_bits: b.

    Raises:
        InputError: an argument is not one of the above, or b is smaller than ``halp_bits``.
    """
    needed = halp_bits(kappa, dimension, gamma)
    if word_bits < needed:
        raise InputError(
            f"word_bits must be {needed} or more for kappa={kappa}, dimension={dimension}, "
            f"gamma={gamma}. Received: {word_bits}"
        )
    largest_code = 2 ** (word_bits - 1) - 1
    noise = 2 * kappa**2 * dimension * (1 + gamma) / largest_code**2
    return math.ceil(8 * kappa * (1 + gamma) / (gamma**2 - noise))


def svrg_steps(kappa: float, gamma: float) -> int:
    """The smallest T of SVRG and LP-SVRG with T ≥ 8κ(1+γ)/γ².

    Args:
        kappa, gamma: as for ``halp_bits``.

    Raises:
        InputError: an argument is not one of the above.
    """
    _check(kappa=kappa, gamma=gamma)
    return math.ceil(8 * kappa * (1 + gamma) / gamma**2)


def low_precision_svrg_floor(dimension: int, step: float, smoothness: float, gamma: float) -> float:
    """2dδ²L/(γ(1−γ)), the bound of E[f − f*] that LP-SVRG does not go below.

    Args:
        dimension: d ≥ 1.
        step: δ > 0, the distance of two numbers on the grid.
        smoothness: L > 0.
        gamma: γ, 0 < γ < 1.

    Raises:
        InputError: an argument is not one of the above.
    """
    _check(dimension=dimension, step=step, smoothness=smoothness, gamma=gamma)
    return 2 * dimension * step**2 * smoothness / (gamma * (1 - gamma))


def _check(gamma: float, **positive: float) -> None:
    if not 0 < gamma < 1:
        raise InputError(f"gamma must be between 0 and 1, both excluded. Received: {gamma!r}")
    for name, value in positive.items():
        least = 1 if name in ("kappa", "dimension") else 0
        if not (least <= value < math.inf and value > 0):
            kind = "1 or more" if least else "positive"
            raise InputError(f"{name} must be finite and {kind}. Received: {value!r}")
