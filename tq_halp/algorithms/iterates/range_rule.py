"""The box of HALP's offsets: |z_j| ≤ r = ‖g̃‖₂ / μ, and how wide it should be.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3: the grid of a
b-bit offset is δ = r / (2^(b−1) − 1) apart. A box too wide wastes bits, and its rounding noise, in
proportion to ‖g̃‖, may grow faster than the steps shrink it; one too narrow cuts off the way. With
μ = "auto" the first box comes from the gradient, grows while the first segment fills it, and later
ones are moved by what the last one cost at its ends and in its middle (``pull``).

Pure NumPy functions of arrays (G,), one entry for each group of weights that share a scale.
"""

import numpy as np

# An element within this of its box's edge is at the edge: δ·code is rounded to the weights' dtype.
EDGE = 1.0 - 1e-6
# A box is at most so many times wider or narrower than the last one, so that one odd segment
# cannot ruin the next: 2^FASTEST at first, and, where it has to be corrected, less and less.
FASTEST, SLOWEST = 2.0, 0.25


def scales(norms, mu, largest_code):
    """δ = ‖g̃‖₂ / (μ · largest code); 0 where the gradient is zero, and then z stays 0."""
    return norms / (mu * largest_code)


def displacement_costs(groups, tensors, size_of, candidates, largest_code):
    """Expected squared error of displacements of size |z_j| in boxes of half-widths r.

    Stochastic rounding of a step s < δ has variance |s|(δ − |s|) ≤ |s|δ; over steps that add up
    to |z_j| the variances add up to about |z_j|δ. What lies beyond the box is cut off:

        cost(r) = δ Σ_j |z_j| + Σ_j max(|z_j| − r, 0)²,   δ = r / largest code

    Args:
        tensors, size_of: ``size_of(t, i)``, of tensor i or a part of it, are the |z_j|.
        candidates: C times r, arrays (G,).

    Returns:
        Array (C, G).
    """

    def terms(tensor, index):
        size = size_of(tensor, index)
        for half_widths in candidates:
            r = groups.of(half_widths, index)
            yield r / largest_code * size + np.square(np.maximum(size - r, 0.0))

    return groups.each(terms, tensors)


def best_half_widths(groups, tensors, size_of, widest, octaves, largest_code):
    """The cheapest of ``widest`` · 2^0, 2^-1, ..., 2^-octaves for displacements of these sizes."""
    candidates = [widest * 2.0**-octave for octave in range(octaves + 1)]
    costs = displacement_costs(groups, tensors, size_of, candidates, largest_code)
    return np.choose(np.argmin(costs, axis=0), candidates)


def first_half_widths(groups, gradients, drifts, largest_code):
    """Boxes before anything was seen: in T steps of size α coordinate j drifts by αT|g̃_j|.

    Args:
        gradients: g̃, a list of variables, tensors or arrays.
        drifts: αT, of each or of all.
    """
    drifts = np.broadcast_to(drifts, len(gradients))

    def drifted(gradient, index):
        return drifts[index] * np.abs(gradient)

    sizes = (drifted(np.asarray(g, np.float64), index) for index, g in enumerate(gradients))
    return best_half_widths(groups, gradients, drifted, groups.largest(sizes), 12, largest_code)


def widened_half_widths(groups, offsets, half_widths, largest_code):
    """Boxes for as many steps again, in which a coordinate goes at most as far again.

    Those at the edge went at least that far and are taken to have wanted twice as much. Never
    narrower, and a power of two times wider.
    """

    def wanted(offset, index):
        size, r = np.abs(offset), groups.of(half_widths, index)
        return np.where(size >= r * EDGE, 4.0 * r, 2.0 * size)

    return best_half_widths(groups, offsets, wanted, half_widths * 2.0**4, 4, largest_code)


def pull(groups, offsets, gradients, half_widths, steps):
    """From −1, the box should be narrower, to 1, it should be wider.

    With g the gradient after the segment, −g_j z_j > 0 at the edge is loss that a wider box would
    still have won, to first order and per unit of log r. Inside, Σ g_j z_j > 0 says that z is
    beyond the minimum along itself: for a quadratic with Hessian H and z = d + n, n noise of mean
    zero, Σ g_j z_j has the mean nᵀHn where d has arrived. Half of that is loss, the part of it that
    comes from rounding is in proportion to r, and rounding makes up a share of about
    δ Σ|z_j| / Σ z_j² of the offsets (as in ``displacement_cost``):

        pull = (S − V) / (S + V),  S = max(−Σ_edge g_j z_j, 0)
                                   V = max(Σ_inside g_j z_j, 0) / 2 · min(share, 1)

    0 where neither is seen.

    Args:
        offsets, gradients: z and g, lists of variables, tensors or arrays.
        half_widths: r.
        steps: δ; 0 for formats whose rounding does not depend on r.
    """

    def terms(z, g, index):
        within = np.abs(z) < groups.of(half_widths, index) * EDGE
        product = g * z
        del g  # What is not needed any more is a part of the peak.
        yield np.where(within, 0, product)
        yield within * product
        del product
        yield within * np.abs(z)
        yield within * np.square(z)

    at_edge, beyond, path, energy = groups.each(terms, offsets, gradients)
    share = np.minimum(quotient(steps * path, energy, otherwise=0.0), 1.0)
    gain, noise = np.maximum(-at_edge, 0.0), np.maximum(beyond, 0.0) / 2 * share
    return np.divide(gain - noise, gain + noise, out=np.zeros_like(gain), where=gain + noise > 0)


def next_move(last, pull):
    """The next move in octaves of a box that is pulled, its sign that of the pull.

    As in Rprop (Riedmiller & Braun, ICNN 1993): longer while the direction stays, half when it
    turns. ``last`` is the former move, 0 before the first.
    """
    turned, went_on = last * pull < 0, last * pull > 0
    length = np.where(last == 0, FASTEST, np.abs(last))
    length = np.where(turned, length / 2, np.where(went_on, 1.5 * length, length))
    length = np.clip(length, SLOWEST, FASTEST)
    return np.where(pull == 0, last, np.copysign(length, pull))


def next_mu(norms, mu, half_widths, growth):
    """μ of boxes that follow a shrinking ‖g̃‖, and one that grows only as far as they are pulled.

    Args:
        norms: ‖g̃‖ of the next segment.
        mu, half_widths, growth: of the last one, and how many times wider it should have been.
    """
    mu = mu / growth
    widest = half_widths * np.maximum(growth, 1.0)
    return np.maximum(mu, quotient(norms, widest, otherwise=0.0))


def quotient(numerator, denominator, otherwise):
    """numerator / denominator where both are positive, else ``otherwise``."""
    result = np.full_like(numerator, otherwise)
    positive = (numerator > 0) & (denominator > 0)
    return np.divide(numerator, denominator, out=result, where=positive)


def saturated_fraction(groups, offsets, half_widths):
    """Share of all offsets that are at the edge of their box."""
    at_edge = total = 0
    for index, offset in enumerate(offsets):
        size, width = np.abs(np.asarray(offset)), groups.of(half_widths, index)
        at_edge += np.count_nonzero((size >= width * EDGE) & (width > 0))
        total += size.size
    return at_edge / max(total, 1)


def underflow_fraction(offsets, gradients):
    """Share of the offsets with a gradient that are 0: they want less than the grid's step."""
    zeros = total = 0
    for offset, gradient in zip(offsets, gradients, strict=True):
        wants_to_move = np.asarray(gradient) != 0
        zeros += np.count_nonzero(wants_to_move & (np.asarray(offset) == 0))
        total += np.count_nonzero(wants_to_move)
    return zeros / max(total, 1)


def geometric_mean(values):
    """One number for the logs: the geometric mean of the positive entries; 0 if there are none."""
    positive = values[values > 0]
    return float(np.exp(np.mean(np.log(positive)))) if positive.size else 0.0
