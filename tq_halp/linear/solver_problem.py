"""A user's problem in the form that the solver takes: centred and scaled, small ones canonical.

Without an intercept nothing is centred. With one, the weighted mean is subtracted from the targets
of a regression, and classifiers start from the shares of the classes. So the gradient at the start
is what the features have to explain, however far from 0 the targets are.
"""

from dataclasses import dataclass

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear.canonical_sample_order import without_repetition
from tq_halp.linear.column_centring import centre_of, centred
from tq_halp.linear.column_scaling import Units, power_above
from tq_halp.linear.input_arrays import blocks, largest_in_columns
from tq_halp.linear.step_size import intercept_value, squared_norms

_ORDINARY = 2.0**32  # X is not scaled if its largest row has a norm between 1 / this and this
_FULL = 2.0**-100  # beside elements of this size, numbers below 2^-126 are rounding errors
_LEAST = 1e-280  # squared norm of the largest row; below it, penalties and rates would overflow


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The arguments of `quant_ops.LinearSolver`, and the way back to the user's coefficients.

    x [n, d], targets [n] and weights [n] or None; scales: factors of the columns [d], or None;
    norms: squared norms of x's scaled rows [n]; start: intercepts [outputs] of a fresh start;
    centre: subtracted from the user's columns [d], or None; shift: subtracted from the user's
    targets.
    """

    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None
    loss: str
    outputs: int
    intercept: bool
    scales: np.ndarray | None
    norms: np.ndarray
    start: np.ndarray
    centre: np.ndarray | None
    shift: float
    units: Units

    def weights_of(self, coefficients: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
        """The solver's weights [outputs, d (+ 1)] for a user's [outputs, d] and [outputs]."""
        coefficients = np.asarray(coefficients, np.float64)
        if not self.intercept:
            return coefficients / self.units.target
        intercepts = intercepts - self.shift
        if self.centre is not None:
            intercepts = intercepts + coefficients @ self.centre
        return np.column_stack([coefficients, intercepts]) / self.units.target

    def fitted(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The user's coefficients [outputs, d] and intercepts [outputs] for solver weights."""
        weights = np.array(weights, np.float64) * self.units.target
        if not self.intercept:
            return weights, np.zeros(self.outputs)
        coefficients, intercepts = weights[:, :-1], weights[:, -1] + self.shift
        if self.centre is not None:
            intercepts = intercepts - coefficients @ self.centre
        return coefficients, intercepts

    def first_weights(self) -> np.ndarray | None:
        """The solver's weights at a fresh start, [outputs, d + 1]; None for zeros."""
        if not self.start.any():
            return None
        weights = np.zeros((self.outputs, self.x.shape[1] + 1))
        weights[:, -1] = self.start
        return weights

    def first_gradient_norm(self) -> float:
        """The gradient norm at the start: ‖Σ_i s_i (prediction_i − target_i) x_i‖₂ / Σ_i s_i."""
        factors = self.residuals()
        factors *= (np.ones(len(self.x)) if self.weights is None else self.weights)[:, None]
        total = np.zeros((self.outputs, self.x.shape[1]))
        for rows in blocks(self.x):
            total += factors[rows].T @ self.x[rows].astype(np.float64)
        if self.scales is not None:
            total *= self.scales
        squares = np.sum(total**2)
        if self.intercept:
            constant = intercept_value(self.norms, self.x.shape[1])
            squares += constant**2 * np.sum(factors.sum(axis=0) ** 2)
        total_weight = len(self.x) if self.weights is None else self.weights.sum()
        return float(np.sqrt(squares) / total_weight)

    def first_loss(self) -> float:
        """The loss at a fresh start, in the solver's units."""
        if self.loss == "squared":
            losses = self.targets**2 / 2
        elif self.loss == "logistic":
            losses = np.logaddexp(0.0, self.start[0]) - self.targets * self.start[0]
        else:
            losses = np.logaddexp.reduce(self.start) - self.start[self.targets.astype(np.intp)]
        return float(np.average(losses, weights=self.weights))

    def residuals(self) -> np.ndarray:
        """Predictions minus targets at a fresh start, float64 [n, outputs]."""
        return _predictions(self.loss, self.start) - _goals(self)

    def rounding(self, precision: float) -> float:
        """A bound of the gradient norm that rounding alone causes at a fresh start."""
        constant = intercept_value(self.norms, self.x.shape[1]) if self.intercept else 0.0
        residual = np.sqrt(np.mean(np.square(self.targets))) if self.loss == "squared" else 1.0
        return 16 * precision * residual * np.sqrt(self.norms.mean() + constant**2)


def problem_of(
    x: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    *,
    loss: str,
    outputs: int,
    intercept: bool,
    per_feature: bool,
    l2: float,
    steps: int | None = None,
) -> Problem:
    """The solver's problem for a user's checked arrays.

    Args:
        x: [n, d].
        targets: float64 [n].
        weights: float64 [n] or None.
        loss: "squared", "logistic" or "softmax".
        per_feature: whether each column is scaled by its largest magnitude.
        l2: the penalty.
        steps: HALP's offsets reach so many steps in one epoch. A classifier's start is rounded to
            multiples of its largest intercept / steps, which an epoch can reach and training
            corrects. None, or a penalty that bounds the learning rate: the start is not rounded.

    Raises:
        InputError: the squares of X overflow or underflow.
    """
    x, targets, weights = without_repetition(x, targets, weights)
    centre = centre_of(x, weights) if intercept else None
    if centre is not None:
        x = centred(x, centre)
    scales = column_scales(x, l2) if per_feature else None
    norms = squared_norms(x, scales)
    units, shift, start = Units(), 0.0, np.zeros(outputs)
    if not per_feature:
        feature = _feature_unit(x, norms)
        if feature != 1:
            scales = np.full(x.shape[1], feature)
            norms = squared_norms(x, scales)
        units = Units(feature)
    if _loses_bits(x, scales, norms):
        x = x.astype(np.float64)
    if loss == "squared":
        shift = _mean(targets, weights) if intercept else 0.0
        targets = targets - shift
        units = Units(units.feature, power_above(np.abs(targets).max()))
        targets = targets / units.target
    elif intercept:
        start = _start(targets, weights, outputs)
        penalty = l2 * (1.0 if scales is None else np.square(scales).max())
        if steps and start.any() and penalty <= intercept_value(norms, x.shape[1]) ** 2:
            step = np.abs(start).max() / steps
            start = np.rint(start / step) * step
    return Problem(x=x, targets=targets, weights=weights, loss=loss, outputs=outputs,
                   intercept=intercept, scales=scales, norms=norms, start=start, centre=centre,
                   shift=shift, units=units)  # fmt: skip


def column_scales(x: np.ndarray, l2: float) -> np.ndarray:
    """1 / max_i |x_ij|, which maps each column to [-1, 1]; 1 for a column of zeros. float64 [d].

    At most 1 / √l2. With a larger factor the penalty of a small column would bound the learning
    rate of all columns, for a weight of which l2 leaves next to nothing.
    """
    largest = largest_in_columns(x)
    return 1.0 / np.where(largest > 0, np.maximum(largest, max(np.sqrt(l2), 1e-150)), 1.0)


def _loses_bits(x: np.ndarray, scales: np.ndarray | None, norms: np.ndarray) -> bool:
    """Whether float32 numbers below 2^-126 matter: the solver takes them as 0.

    They do not matter beside large numbers in the same column, or in X with one scale for all.
    """
    column = scales is not None and scales.max() > 1 / _FULL
    if x.dtype != np.float32 or not (column or norms.max() < _FULL**2):
        return False
    tiny = np.finfo(np.float32).tiny
    return any(np.any((x[rows] != 0) & (np.abs(x[rows]) < tiny)) for rows in blocks(x))


def _feature_unit(x: np.ndarray, norms: np.ndarray) -> float:
    """The unit of X; 1 where the largest row has an ordinary norm.

    Raises:
        InputError: the squares of X overflow or underflow.
    """
    largest = float(norms.max())
    if not np.isfinite(largest) or (largest < _LEAST and x.any()):
        advice = "divide it by its largest" if largest > 1 else "multiply it by a constant"
        raise InputError(
            f"X must have rows whose squares can be added, {advice}. Received: elements up to "
            f"{np.abs(x).max():g}"
        )
    row = np.sqrt(largest)
    return 1.0 if not row or 1 / _ORDINARY <= row <= _ORDINARY else 1.0 / power_above(row)


def _mean(targets: np.ndarray, weights: np.ndarray | None) -> float:
    """The weighted mean of the targets; exact if all are equal."""
    if targets.min() == targets.max():
        return float(targets[0])
    return float(np.average(targets, weights=weights))


def _start(classes: np.ndarray, weights: np.ndarray | None, outputs: int) -> np.ndarray:
    """Intercepts [outputs] whose predictions are the shares of the classes.

    That is the log-odds of the second of two classes, or the logarithms of the shares minus their
    mean.
    """
    shares = np.bincount(classes.astype(np.intp), weights, minlength=max(outputs, 2))
    logarithms = np.log(np.maximum(shares / shares.max(), 1e-300))
    if outputs == 1:
        return logarithms[1:] - logarithms[:1]
    return logarithms - logarithms.mean()


def _predictions(loss: str, start: np.ndarray) -> np.ndarray:
    """The predictions for intercepts `start` and weights 0, [outputs]."""
    if loss == "squared":
        return start
    if loss == "logistic":
        return 1 / (1 + np.exp(-start))
    powers = np.exp(start - start.max())
    return powers / powers.sum()


def _goals(problem: Problem) -> np.ndarray:
    """The values that the predictions should have, [n, 1] or one-hot [n, outputs]."""
    if problem.loss == "softmax":
        return (problem.targets[:, None] == np.arange(problem.outputs)).astype(np.float64)
    return problem.targets[:, None]
