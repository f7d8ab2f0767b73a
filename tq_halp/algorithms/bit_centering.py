"""The scale of HALP's grid: δ_k = ‖g̃_k‖₂ / (μ (2^(b−1) − 1)), and a μ chosen from what was seen.

Pure NumPy functions. With "global" granularity all tensors share the norm of the whole gradient,
as in the paper; with "per_tensor" each has its own, as in the authors' code.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3.
"""

import numpy as np

# A box is at most 2^OCTAVES times wider or narrower than the last one, so that one odd segment
# cannot ruin the next.
OCTAVES = 2
# An element within this of its box's edge is at the edge: δ·code is rounded to the weights' dtype.
EDGE = 1.0 - 1e-6


def largest_code(word_bits):
    """2^(b−1) − 1, the largest integer of a signed b-bit word (1 for b = 1, never 0)."""
    return float(max(2 ** (word_bits - 1) - 1, 1))


def gradient_norms(full_gradient, granularity):
    """‖g̃‖₂ per tensor, a float64 array; equal entries when ``granularity`` is "global"."""
    norms = np.array([np.linalg.norm(np.asarray(g, np.float64).ravel()) for g in full_gradient])
    return np.full_like(norms, np.linalg.norm(norms)) if granularity == "global" else norms


def absolute_values(tensors, granularity):
    """|t| per tensor as flat float64 arrays; all of them together, repeated, when "global"."""
    sizes = [np.abs(np.asarray(tensor, np.float64)).ravel() for tensor in tensors]
    return [np.concatenate(sizes)] * len(sizes) if granularity == "global" else sizes


def scales(norms, mu, word_bits):
    """δ per tensor; 0 where the gradient is zero, and then z stays 0."""
    return norms / (mu * largest_code(word_bits))


def displacement_cost(sizes, half_width, word_bits):
    """Expected squared error of a segment's displacement z in a box of that half-width.

    Stochastic rounding of a step s < δ has variance |s|(δ − |s|) ≤ |s|δ; over steps that add up
    to |z_j| the variances add up to about |z_j|δ. What lies beyond the box is cut off:

        cost(r) = δ Σ_j |z_j| + Σ_j max(|z_j| − r, 0)²,   δ = r / (2^(b−1) − 1)
    """
    rounding = half_width / largest_code(word_bits) * np.sum(sizes)
    return rounding + np.sum(np.square(np.maximum(sizes - half_width, 0.0)))


def best_half_width(sizes, widest, octaves, word_bits):
    """The cheapest of ``widest`` · 2^0, 2^-1, ..., 2^-octaves for displacements of these sizes."""
    candidates = widest * 2.0 ** -np.arange(octaves + 1)
    costs = [displacement_cost(sizes, candidate, word_bits) for candidate in candidates]
    return candidates[int(np.argmin(costs))]


def first_half_width(gradient_sizes, drift, word_bits):
    """A box before anything was seen: in T steps of size α coordinate j drifts by at most αT|g̃_j|.

    Args:
        gradient_sizes: |g̃_j|, any shape.
        drift: αT.
    """
    sizes = drift * np.ravel(gradient_sizes)
    return best_half_width(sizes, np.max(sizes, initial=0.0), 12, word_bits)


def widened_half_width(offset_sizes, half_width, word_bits):
    """The box for as many steps again, in which a coordinate goes at most as far again.

    Never narrower, and a power of two times wider.
    """
    sizes = 2.0 * _wanted(offset_sizes, half_width)
    return best_half_width(sizes, half_width * 2.0**4, 4, word_bits)


def next_half_width(offset_sizes, half_width, word_bits):
    """The box for displacements like those of the last segment, |z_j| at its end."""
    sizes = _wanted(offset_sizes, half_width)
    return best_half_width(sizes, half_width * 2.0**OCTAVES, 2 * OCTAVES, word_bits)


def _wanted(offset_sizes, half_width):
    """How far the offsets would have gone in a wider box.

    Those at the edge went at least that far and are taken to have wanted twice as much: a box too
    small for many is widened, one too small for a few heavy tails only is not.
    """
    sizes = np.ravel(offset_sizes)
    return np.where(sizes >= half_width * EDGE, 2.0 * half_width, sizes)


def geometric_mean(values):
    """One number for the logs: the geometric mean of the positive entries; 0 if there are none."""
    positive = values[values > 0]
    return float(np.exp(np.mean(np.log(positive)))) if positive.size else 0.0
