"""The scale of HALP's grid: δ_k = ‖g̃_k‖₂ / (μ (2^(b−1) − 1)), and a μ chosen from what was seen.

Pure NumPy functions over one number per tensor. With ``global`` granularity all tensors share the
norm of the whole gradient, as in the paper; with ``per_tensor`` each has its own, as in the authors'
code. De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3.
"""

import numpy as np

# How much wider than the largest |z| of the last segment the next box is made.
HEADROOM = 2.0
# μ moves by at most this factor per snapshot, so that one odd segment cannot ruin the next.
LARGEST_CHANGE = 4.0
# More than this share of saturated elements means the box was too small to measure |z| in.
SATURATED = 0.001


def largest_code(word_bits):
    """2^(b−1) − 1, the largest integer of a signed b-bit word (1 for b = 1, never 0)."""
    return float(max(2 ** (word_bits - 1) - 1, 1))


def gradient_norms(full_gradient, granularity):
    """(‖g̃‖₂, ‖g̃‖_∞) per tensor, float64 arrays; equal entries when ``granularity`` is "global"."""
    two = np.array([np.linalg.norm(np.asarray(g, np.float64).ravel()) for g in full_gradient])
    largest = np.array([np.max(np.abs(np.asarray(g, np.float64)), initial=0.0) for g in full_gradient])
    if granularity == "global":
        two = np.full_like(two, np.linalg.norm(two))
        largest = np.full_like(largest, np.max(largest, initial=0.0))
    return two, largest


def scales(norms, mu, word_bits):
    """δ per tensor; 0 where the gradient is zero, and then z stays 0."""
    return norms / (mu * largest_code(word_bits))


def initial_mu(norms, largest, step_size, steps):
    """μ with which the box is as wide as the coordinate of steepest descent can drift.

    In T steps of size α a coordinate moves by about αT|g̃_j|, so the box half-width ‖g̃‖₂/μ is set to
    αT‖g̃‖_∞: μ = ‖g̃‖₂ / (αT‖g̃‖_∞). Without information (zero gradient, unknown α) 1/(αT).
    """
    drift = max(step_size * steps, np.finfo(np.float32).tiny)
    ratio = np.divide(norms, largest, out=np.ones_like(norms), where=largest > 0)
    return ratio / drift


def next_mu(mu, usage, saturated):
    """μ for the next segment from how the last one used its box.

    Args:
        mu: the last segment's μ, per tensor.
        usage: largest |z| over the box's half-width, per tensor, in [0, 1].
        saturated: share of elements at the box's edge, per tensor.

    Returns:
        μ / (HEADROOM · usage), moved by at most LARGEST_CHANGE; where the box was too small to tell,
        μ / LARGEST_CHANGE, a wider box.
    """
    factor = np.divide(1.0, HEADROOM * usage, out=np.ones_like(mu), where=usage > 0)
    factor = np.where(saturated > SATURATED, 1.0 / LARGEST_CHANGE, factor)
    return mu * np.clip(factor, 1.0 / LARGEST_CHANGE, LARGEST_CHANGE)


def geometric_mean(values):
    """One number for the logs: the geometric mean of the positive entries; 0 if there are none."""
    positive = values[values > 0]
    return float(np.exp(np.mean(np.log(positive)))) if positive.size else 0.0
