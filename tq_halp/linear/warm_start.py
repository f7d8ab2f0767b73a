"""Training that continues from the last `fit`: where it starts, what its tolerance refers to."""

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear.samples import blocks
from tq_halp.linear.step_size import intercept_value, squared_norms


def initial_weights(coefficients, intercepts, shape, fit_intercept) -> np.ndarray:
    """The last fit's weights, [outputs, d + 1] with the intercept last, or [outputs, d] without.

    Raises:
        InputError: they are for another number of features or outputs than `shape` says.
    """
    if coefficients.shape != shape:
        raise InputError(
            f"warm_start continues a fit with coefficients of shape {coefficients.shape}, received "
            f"data for {shape}; set warm_start=False or fit data of the same kind"
        )
    if not fit_intercept:
        return np.array(coefficients, np.float64)
    return np.column_stack([coefficients, intercepts]).astype(np.float64)


def gradient_norm_at_zero(x, targets, weights, *, loss, outputs, column_scales, intercept):
    """‖Σ_i s_i (ℓ'(0) − target_i) x_i‖₂ / Σ_i s_i: what a fresh fit would start with."""
    factors = _predictions_less_targets(targets, loss, outputs)
    factors *= (np.ones(len(x)) if weights is None else weights)[:, None]
    total = np.zeros((outputs, x.shape[1]))
    for rows in blocks(x):
        total += factors[rows].T @ x[rows].astype(np.float64)
    if column_scales is not None:
        total *= column_scales
    squares = np.sum(total**2)
    if intercept:
        constant = intercept_value(squared_norms(x, column_scales), x.shape[1])
        squares += constant**2 * np.sum(factors.sum(axis=0) ** 2)
    return float(np.sqrt(squares) / (len(x) if weights is None else weights.sum()))


def _predictions_less_targets(targets, loss, outputs):
    if loss == "softmax":
        return 1.0 / outputs - (targets[:, None] == np.arange(outputs))
    return (0.5 if loss == "logistic" else 0.0) - targets[:, None]
