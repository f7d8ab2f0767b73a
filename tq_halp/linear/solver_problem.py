"""A user's problem in the form that the solver takes: centred and scaled, small ones canonical.

Without an intercept nothing is centred. With one, the weighted mean is subtracted from the targets
of a regression, and classifiers start from the shares of the classes. So the gradient at the start
is what the features have to explain, however far from 0 the targets are.
"""

from dataclasses import dataclass

import numpy as np

from quant_ops.linear import survey
from tq_halp.errors import InputError
from tq_halp.linear.canonical_sample_order import without_repetition
from tq_halp.linear.column_scaling import Units, power_above
from tq_halp.linear.input_arrays import blocks, check_finite
from tq_halp.linear.known_columns import KnownColumns, centred

_ORDINARY = 2.0**32  # X is not scaled if its rows have norms between 1 / this and this
_LEAST = 1e-280  # squared norm of a row; below it, penalties and rates would overflow


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The arguments of `quant_ops.LinearSolver`, and the way back to the user's coefficients.

    x [n, d], targets [n] and weights [n] or None; columns: what is known of x's, centred; scales:
    factors of the centred columns [d], or None; start: intercepts [outputs] of a fresh start;
    shift: subtracted from the user's targets.
    """

    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None
    loss: str
    outputs: int
    intercept: bool
    columns: KnownColumns
    scales: np.ndarray | None
    start: np.ndarray
    shift: float
    units: Units

    @property
    def mean_square(self) -> float:
        """That of an element of x, centred and scaled."""
        return self.columns.mean_square(len(self.x), self.scales)

    @property
    def constant(self) -> float:
        """The constant in the intercept's column: the root mean square of x, 1 if that is 0."""
        return float(np.sqrt(self.mean_square)) or 1.0

    def weights_of(self, coefficients: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
        """The solver's weights [outputs, d (+ 1)] for a user's [outputs, d] and [outputs]."""
        coefficients = np.asarray(coefficients, np.float64)
        if not self.intercept:
            return coefficients / self.units.target
        intercepts = intercepts - self.shift
        if self.columns.centre is not None:
            intercepts = intercepts + coefficients @ self.columns.centre
        return np.column_stack([coefficients, intercepts]) / self.units.target

    def fitted(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The user's coefficients [outputs, d] and intercepts [outputs] for solver weights."""
        weights = np.array(weights, np.float64) * self.units.target
        if not self.intercept:
            return weights, np.zeros(self.outputs)
        coefficients, intercepts = weights[:, :-1], weights[:, -1] + self.shift
        if self.columns.centre is not None:
            intercepts = intercepts - coefficients @ self.columns.centre
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
        if self.columns.centre is not None:
            total -= factors.sum(axis=0)[:, None] * self.columns.centre
        if self.scales is not None:
            total *= self.scales
        squares = np.sum(total**2)
        if self.intercept:
            squares += self.constant**2 * np.sum(factors.sum(axis=0) ** 2)
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
        constant = self.constant if self.intercept else 0.0
        residual = np.sqrt(np.mean(np.square(self.targets))) if self.loss == "squared" else 1.0
        norm = self.mean_square * self.x.shape[1] + constant**2
        return float(16 * precision * residual * np.sqrt(norm))


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
    n_threads: int,
) -> Problem:
    """The solver's problem for a user's checked arrays; reads x once.

    Args:
        x: [n, d].
        targets: float64 [n].
        weights: float64 [n] or None.
        loss: "squared", "logistic" or "softmax".
        per_feature: whether each column is scaled by its largest magnitude.
        l2: the penalty.
        n_threads: that read x.

    Raises:
        InputError: X is not finite, or its squares overflow or underflow.
    """
    given = x
    x, targets, weights = without_repetition(given, targets, weights)
    if x is not given:
        check_finite("X", given)
    found = survey(x, n_threads)
    if not np.isfinite(found.squares).all():
        check_finite("X", x)
        raise _unusual(x)
    columns = centred(found, x, weights) if intercept else KnownColumns(found)
    scales = column_scales(columns.largest, l2) if per_feature else None
    units, shift, start = Units(), 0.0, np.zeros(outputs)
    if not per_feature:
        units = Units(_feature_unit(x, columns))
        if units.feature != 1:
            scales = np.full(x.shape[1], units.feature)
    if loss == "squared":
        shift = _mean(targets, weights) if intercept else 0.0
        targets = targets - shift
        units = Units(units.feature, power_above(np.abs(targets).max()))
        targets = targets / units.target
    elif intercept:
        start = _start(targets, weights, outputs)
    return Problem(x=x, targets=targets, weights=weights, loss=loss, outputs=outputs,
                   intercept=intercept, columns=columns, scales=scales, start=start, shift=shift,
                   units=units)  # fmt: skip


def column_scales(largest: np.ndarray, l2: float) -> np.ndarray:
    """1 / largest, which maps each column to [-1, 1]; 1 for a column of zeros. float64 [d].

    At most 1 / √l2. With a larger factor the penalty of a small column would bound the learning
    rate of all columns, for a weight of which l2 leaves next to nothing.
    """
    return 1.0 / np.where(largest > 0, np.maximum(largest, max(np.sqrt(l2), 1e-150)), 1.0)


def _feature_unit(x: np.ndarray, columns: KnownColumns) -> float:
    """The unit of X; 1 where rows have ordinary norms, which are at most √d times its largest.

    Raises:
        InputError: the squares of X overflow or underflow.
    """
    with np.errstate(over="ignore"):
        row = float(np.sqrt(x.shape[1]) * columns.largest.max())
    if not np.isfinite(row * row * len(x)) or (row * row < _LEAST and row > 0):
        raise _unusual(x)
    return 1.0 if not row or 1 / _ORDINARY <= row <= _ORDINARY else 1.0 / power_above(row)


def _unusual(x: np.ndarray) -> InputError:
    largest = np.abs(x).max()
    advice = "divide it by its largest" if largest > 1 else "multiply it by a constant"
    return InputError(
        f"X must have rows whose squares can be added, {advice}. Received: elements up to "
        f"{largest:g}"
    )


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
