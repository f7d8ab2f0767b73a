"""What the theorems ask for and promise, as plain functions of (κ, d, γ).

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383: each f_i convex with an
L-Lipschitz gradient, f μ-strongly convex, κ = L/μ, d parameters, option II. With 0 < γ < 1, the
factor by which E[f − f*] shrinks in an outer iteration, and the step α = γ / (4L(1 + γ)):

    LP-SVRG  T ≥ 8κ(1+γ)/γ²             E[f(w̃_{K+1}) − f*] ≤ γ^K (f(w̃_1) − f*) + 2dδ²L/(γ(1−γ))
    HALP     T ≥ 8κ(1+γ)/(γ² − 2κ²d(1+γ)(2^(b−1)−1)^(−2))      ... ≤ γ^K (f(w̃_1) − f*)
             b > 1 + log2(1 + √(2κ²d(1+γ)/γ²))

These are worst cases; 8 bits do in practice where they ask for 9 to 18.
"""

import math

from tq_halp.errors import InputError


def step_size(smoothness, gamma):
    """α for L = ``smoothness``."""
    _check(smoothness=smoothness, gamma=gamma)
    return gamma / (4 * smoothness * (1 + gamma))


def halp_bits(kappa, dimension, gamma):
    """The smallest b that the theorem allows, an int."""
    _check(kappa=kappa, dimension=dimension, gamma=gamma)
    bound = 1 + math.log2(1 + math.sqrt(2 * kappa**2 * dimension * (1 + gamma) / gamma**2))
    return math.floor(bound) + 1


def halp_steps(kappa, dimension, gamma, word_bits):
    """The smallest T for b = ``word_bits``, an int.

    Raises:
        InputError: also if b is too small for any T.
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


def svrg_steps(kappa, gamma):
    """The smallest T of SVRG and LP-SVRG, an int."""
    _check(kappa=kappa, gamma=gamma)
    return math.ceil(8 * kappa * (1 + gamma) / gamma**2)


def low_precision_svrg_floor(dimension, step, smoothness, gamma):
    """What remains of f − f* on a grid of δ = ``step``, at most: 2dδ²L/(γ(1−γ))."""
    _check(dimension=dimension, step=step, smoothness=smoothness, gamma=gamma)
    return 2 * dimension * step**2 * smoothness / (gamma * (1 - gamma))


def _check(gamma, **positive):
    if not 0 < gamma < 1:
        raise InputError(f"gamma must be between 0 and 1, both excluded. Received: {gamma!r}")
    for name, value in positive.items():
        least = 1 if name in ("kappa", "dimension") else 0
        if not (least <= value < math.inf and value > 0):
            kind = "1 or more" if least else "positive"
            raise InputError(f"{name} must be finite and {kind}. Received: {value!r}")
