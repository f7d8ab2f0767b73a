"""The rule for the range |z_j| ≤ r of HALP's offsets with μ = "auto": how large r should be.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3, have a fixed μ:
r = ‖g̃‖₂ / μ. The grid of a b-bit offset has the step δ = r / (2^(b−1) − 1). If r is too large, bits
are wasted, and the rounding noise, which is proportional to ‖g̃‖, may grow faster than training
shrinks it. If r is too small, offsets are cut off at the edge of the range. With μ = "auto" the
first r comes from the gradient, and grows during the first segment when offsets reach it. After
each segment ``pull`` tells from the offsets and the gradient whether r should have been larger.

The functions are pure NumPy. In them G is the number of groups of weights that share a scale
(``ScaleGroups``); r (``half_widths``), δ, μ and ‖g̃‖ (``norms``) are float64 arrays of shape (G,).
``largest_code`` is 2^(b−1) − 1, or the largest number of another format.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tq_halp.algorithms.iterates.displacement_costs import Reach, best_half_widths
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups

# |z_j| ≥ EDGE · r counts as at the edge: δ · code is rounded to the dtype of the weights.
EDGE = 1.0 - 1e-6
# The largest and the smallest change of r from segment to segment, in octaves (log2). The largest
# is limited so that one unusual segment cannot spoil the next.
FASTEST, SLOWEST = 2.0, 0.25


def scales(norms: np.ndarray, mu: np.ndarray, largest_code: float) -> np.ndarray:
    """δ = ‖g̃‖₂ / (μ · largest code). If g̃ = 0, δ = 0 and z stays 0."""
    return norms / (mu * largest_code)


def first_half_widths(
    groups: ScaleGroups,
    gradients: Sequence[Any],
    drifts: float | Sequence[float],
    largest_code: float,
) -> np.ndarray:
    """r before the first step: in t steps of size α coordinate j will move by about αt|g̃_j|.

    Args:
        groups: the groups of weights.
        gradients: g̃: variables, tensors or arrays.
        drifts: αt, for each tensor or for all.
    """
    reach = Reach(np.broadcast_to(np.asarray(drifts, np.float64), len(gradients)))
    largest = groups.largest(
        slope * np.abs(np.asarray(g, np.float64))
        for slope, g in zip(reach.slopes, gradients, strict=True)
    )
    return best_half_widths(groups, gradients, reach, largest, 12, largest_code)


def reach_of(offsets: Sequence[Any], half_widths: np.ndarray, further: float = 1.0) -> Reach:
    """How far coordinates would have moved: ``further`` times |z_j|; those at the edge twice that.

    An offset at the edge of its range r (``half_widths``) may have been cut off.
    """
    return Reach([further] * len(offsets), half_widths * EDGE, 2.0 * further * half_widths)


def widened_half_widths(
    groups: ScaleGroups,
    offsets: Sequence[Any],
    half_widths: np.ndarray,
    largest_code: float,
    further: float = 2.0,
) -> np.ndarray:
    """r for more steps than have led to ``offsets``: r times 1, 2, 4, 8 or 16.

    Args:
        groups: the groups of weights.
        offsets: z: variables, tensors or arrays.
        half_widths: r.
        largest_code: as everywhere.
        further: how many times as far a coordinate will have moved, as for ``reach_of``.
    """
    reach = reach_of(offsets, half_widths, further)
    return best_half_widths(groups, offsets, reach, half_widths * 2.0**4, 4, largest_code)


def pull(
    groups: ScaleGroups,
    offsets: Sequence[Any],
    gradients: Sequence[Any],
    half_widths: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Whether r was too small, up to 1, or too large, down to −1, in the segment that has ended.

        pull = (S − V) / (S + V),  S = max(−Σ_edge g_j z_j, 0)
                                   V = max(Σ_inside g_j z_j, 0) / 2 · min(share, 1)
                                   share = δ Σ |z_j| / Σ z_j²

    and 0 if S = V = 0. g is the gradient at the end of the segment. S and V are the derivatives of
    the loss by log r, to first order:

    * At the edge −g_j z_j > 0 means that a larger |z_j| would have had a smaller loss: S.
    * Inside, let f be a quadratic with Hessian H, and z = d + n, where d is where the segment leads
      and n noise of mean zero. If d is the optimum, Σ g_j z_j has the mean nᵀHn, half of which is
      loss. The noise from rounding is proportional to r, and ``share`` is about its share in z (as
      in ``displacement_costs``): V.

    Args:
        groups: the groups of weights.
        offsets, gradients: z and g: variables, tensors or arrays.
        half_widths: r.
        steps: δ; 0 for formats whose rounding error does not depend on r.

    Returns:
        Array of shape (G,).
    """

    def terms(z: np.ndarray, g: np.ndarray, index: int) -> Iterator[np.ndarray]:
        within = np.abs(z) < groups.of(half_widths, index) * EDGE
        product = g * z
        del g  # Here memory use is at its peak.
        yield np.where(within, 0, product)
        yield within * product
        del product
        yield within * np.abs(z)
        yield within * np.square(z)

    at_edge, beyond, path, energy = groups.each(terms, offsets, gradients)
    share = np.minimum(quotient(steps * path, energy, otherwise=0.0), 1.0)
    gain, noise = np.maximum(-at_edge, 0.0), np.maximum(beyond, 0.0) / 2 * share
    return np.divide(gain - noise, gain + noise, out=np.zeros_like(gain), where=gain + noise > 0)


def next_move(last: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """The next change of r in octaves (log2), with the sign of the pull.

    As in Rprop (Riedmiller & Braun, ICNN 1993) it is 1.5 times the last one while the sign stays,
    and half of it when the sign changes, within [SLOWEST, FASTEST].

    Args:
        last: the last change; 0 before the first.
        pull: from ``pull``.
    """
    turned, went_on = last * pull < 0, last * pull > 0
    length = np.where(last == 0, FASTEST, np.abs(last))
    length = np.where(turned, length / 2, np.where(went_on, 1.5 * length, length))
    length = np.clip(length, SLOWEST, FASTEST)
    return np.where(pull == 0, last, np.copysign(length, pull))


def next_mu(
    norms: np.ndarray, mu: np.ndarray, half_widths: np.ndarray, growth: np.ndarray
) -> np.ndarray:
    """μ of the next segment. r = ‖g̃‖ / μ shrinks with ‖g̃‖, but grows only as ``growth`` says.

    Args:
        norms: ‖g̃‖ of the next segment.
        mu, half_widths: μ and r of the last segment.
        growth: how many times larger r should have been in the last segment.
    """
    mu = mu / growth
    widest = half_widths * np.maximum(growth, 1.0)
    return np.maximum(mu, quotient(norms, widest, otherwise=0.0))


def quotient(numerator: np.ndarray, denominator: np.ndarray, otherwise: float) -> np.ndarray:
    """numerator / denominator where both are positive, else ``otherwise``."""
    result = np.full_like(numerator, otherwise)
    positive = (numerator > 0) & (denominator > 0)
    return np.divide(numerator, denominator, out=result, where=positive)


def saturated_fraction(
    groups: ScaleGroups, offsets: Sequence[Any], half_widths: np.ndarray
) -> float:
    """The share of the offsets that are at the edge of their range."""
    at_edge = total = 0
    for index, offset in enumerate(offsets):
        size, width = np.abs(np.asarray(offset)), groups.of(half_widths, index)
        at_edge += np.count_nonzero((size >= width * EDGE) & (width > 0))
        total += size.size
    return at_edge / max(total, 1)


def underflow_fraction(offsets: Sequence[Any], gradients: Sequence[Any]) -> float:
    """The share of 0 among the offsets whose gradient is not 0: they have not moved by a step δ.

    Without gradients, the share of 0 among all offsets.
    """
    zeros = total = 0
    for offset, gradient in zip(offsets, gradients or [1.0] * len(offsets), strict=True):
        wants_to_move = np.broadcast_to(np.asarray(gradient) != 0, offset.shape)
        zeros += np.count_nonzero(wants_to_move & (np.asarray(offset) == 0))
        total += np.count_nonzero(wants_to_move)
    return zeros / max(total, 1)


def geometric_mean(values: np.ndarray) -> float:
    """The geometric mean of the positive entries; 0 if there are none."""
    positive = values[values > 0]
    return float(np.exp(np.mean(np.log(positive)))) if positive.size else 0.0
