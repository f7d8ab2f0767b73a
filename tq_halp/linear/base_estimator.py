"""The base class of the two estimators: constructor, and the way from arrays to weights."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from quant_ops import LinearSolver
from quant_ops.linear.matrix import is_double
from tq_halp.errors import InputError
from tq_halp.linear import input_arrays, prediction
from tq_halp.linear.column_scaling import Units, representable
from tq_halp.linear.fit_loop import Schedule, train
from tq_halp.linear.hyperparameters import Parameters, RandomState, seed_of
from tq_halp.linear.sklearn_protocol import (
    ConvergenceWarning,
    NotFittedError,
    shared_with_sklearn,
    sklearn_tags,
)
from tq_halp.linear.solver_problem import Problem, problem_of
from tq_halp.linear.stages import Stages
from tq_halp.linear.step_size import automatic_learning_rate
from tq_halp.linear.threads import thread_count
from tq_halp.linear.unresolved_columns import warn_of_lost_columns
from tq_halp.linear.warm_start import check_weights

# With fewer inner steps, the full gradient and the calls would take most of an epoch's time.
FEWEST_STEPS = 100
# The learning rate adapts to the gradient norm, which for SGD shows its noise alone.
ADAPTS = ("halp", "svrg")
ON_GRID = ("lp_svrg", "lp_sgd")
INTEGER = ("halp", *ON_GRID)
# The learning rate grows at most by this factor. For a quadratic, α = 1.6 / (2 L(b)) leaves
# α L(b) / (2 − α L(b)) = two thirds of the error after an epoch.
GROWTH = {"squared": 1.6, "logistic": 64.0, "softmax": 64.0}


class LinearEstimator(Parameters):
    """Base of the two estimators: their constructor, and the way from arrays to weights.

    A subclass has `fit`, `predict` and scikit-learn's `_estimator_type`, and sets `coef_` and
    `intercept_`.
    """

    _estimator_type: str
    coef_: np.ndarray
    intercept_: Any

    def __init__(
        self,
        word_bits: int = 8,
        data_bits: int = 8,
        mu: float | str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int = 64,
        epochs: int = 500,
        l2: float = 0.0,
        algorithm: str = "halp",
        n_threads: int | None = None,
        random_state: RandomState = 0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-5,
        inner_steps: int | None = None,
        feature_scale: str = "per_tensor",
        weight_range: float = 1.0,
        patience: int = 10,
        warm_start: bool = False,
        callback: Callable[[dict], object] | None = None,
    ):
        self.word_bits = word_bits
        self.data_bits = data_bits
        self.mu = mu
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.l2 = l2
        self.algorithm = algorithm
        self.n_threads = n_threads
        self.random_state = random_state
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.inner_steps = inner_steps
        self.feature_scale = feature_scale
        self.weight_range = weight_range
        self.patience = patience
        self.warm_start = warm_start
        self.callback = callback

    def __sklearn_tags__(self) -> Any:
        return sklearn_tags(self._estimator_type)

    def _train(
        self,
        x: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None,
        *,
        loss: str,
        outputs: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Trains on checked samples and sets the fitted attributes, apart from the weights.

        Args:
            x: [n, d].
            targets: float64 [n]: numbers, 0 or 1, or class indices.
            weights: float64 [n] or None.

        Returns:
            coefficients [outputs, d] and intercepts [outputs], float64.
        """
        clock = Stages()
        before = self._weights() if self.warm_start and self._is_fitted() else None
        if before is not None:
            check_weights(*before, (outputs, x.shape[1]))
        problem = problem_of(
            x,
            targets,
            weights,
            loss=loss,
            outputs=outputs,
            intercept=bool(self.fit_intercept),
            per_feature=self.feature_scale == "per_feature",
            l2=float(self.l2),
            n_threads=thread_count(self.n_threads, x.size),
        )
        if self.algorithm in INTEGER and self.feature_scale == "per_tensor":
            warn_of_lost_columns(problem, int(self.data_bits))
        clock.ended("reading")
        solver, norm = self._started(problem, before)
        clock.ended("copying")
        clock.moved("copying", "first_gradient", solver.measurement["gradient_seconds"])
        rate = self._rate(problem, solver)
        clock.ended("learning_rate")
        self.setup_seconds_ = clock.total()
        schedule = self._schedule(problem, rate, norm)
        (self.start_, *self.history_), self.stop_reason_ = train(solver, schedule)
        self.n_iter_ = len(self.history_)
        self.learning_rate_ = rate * problem.units.feature**2
        fitted = problem.fitted(solver.weights())
        clock.ended("epochs")
        self.timings_ = clock.seconds
        self._warn_unfinished(norm * problem.units.target / problem.units.feature)
        return fitted

    def _started(
        self, problem: Problem, before: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[LinearSolver, float]:
        """The solver at its start, and the gradient norm of a fresh start.

        For other data the last fit's weights may be far off: if their loss is above that of a fresh
        start, training begins with a fresh start.
        """
        if before is not None:
            solver = self._solver(problem, problem.weights_of(*before))
            if solver.measurement["loss"] <= problem.first_loss():
                return solver, problem.first_gradient_norm()
        solver = self._solver(problem, problem.first_weights())
        return solver, solver.measurement["gradient_norm"]

    def _rate(self, problem: Problem, solver: LinearSolver) -> float:
        """The solver's learning rate: the user's in the solver's units, or the automatic one."""
        if self.learning_rate != "auto":
            return representable("learning_rate", problem.units.rate(float(self.learning_rate)))
        factor = 1.0 if problem.scales is None else float(problem.scales.max()) ** 2
        return automatic_learning_rate(
            solver,
            problem.x.shape,
            loss=problem.loss,
            batch_size=int(self.batch_size),
            largest_penalty=float(self.l2) * factor,
        )

    def _solver(self, problem: Problem, initial: np.ndarray | None) -> LinearSolver:
        units = problem.units
        return LinearSolver(
            problem.x,
            problem.targets,
            loss=problem.loss,
            algorithm=self.algorithm,
            outputs=problem.outputs,
            sample_weights=problem.weights,
            l2=float(self.l2),
            column_scales=problem.scales,
            column_centres=problem.columns.centre,
            columns=problem.columns.found,
            intercept=problem.intercept,
            batch_size=min(int(self.batch_size), len(problem.x)),
            word_bits=int(self.word_bits),
            data_bits=int(self.data_bits),
            weight_range=self._weight_range(units),
            initial=initial,
            seed=seed_of(self.random_state),
            n_threads=thread_count(self.n_threads, problem.x.size),
        )

    def _weight_range(self, units: Units) -> float:
        """The solver's weight_range; only algorithms with a fixed grid use it."""
        if self.algorithm not in ON_GRID:
            return 1.0
        value = float(self.weight_range) / units.target / units.feature
        return representable("weight_range", float(np.float32(value)))

    def _schedule(self, problem: Problem, rate: float, norm: float) -> Schedule:
        batches = -(-len(problem.x) // int(self.batch_size))
        adapts = self.learning_rate == "auto" and self.algorithm in ADAPTS
        mu = None
        if self.mu != "auto":
            mu = representable("mu", problem.units.mu(float(self.mu)))
        return Schedule(
            algorithm=self.algorithm,
            learning_rate=rate,
            growth=GROWTH[problem.loss] if adapts else None,
            steps=int(self.inner_steps or max(batches, FEWEST_STEPS)),
            mu=mu,
            word_bits=int(self.word_bits),
            epochs=int(self.epochs),
            tolerance=self._tolerance(problem, norm),
            patience=int(self.patience),
            n_threads=thread_count(self.n_threads, problem.x.size),
            callback=self.callback,
            units=problem.units,
        )

    def _tolerance(self, problem: Problem, norm: float) -> float:
        """The gradient norm at which training ends.

        Where the gradient at the start is no larger than rounding errors, the start is the optimum.
        """
        floats = self.algorithm not in INTEGER and not is_double(problem.x)
        rounding = problem.rounding(np.finfo(np.float32 if floats else np.float64).eps)
        return norm if self.tol and norm <= rounding else float(self.tol) * norm

    def _warn_unfinished(self, norm: float) -> None:
        """Warns if training ended above `tol`, apart from SGD and the low-precision baselines.

        Those end at a noise floor, and nobody expects them to get below it.
        """
        stalled = self.stop_reason_ == "no_progress" and self.algorithm in ADAPTS
        if not self.tol or not (self.stop_reason_ == "epochs" or stalled):
            return
        last = self.history_[-1]["gradient_norm"] / norm
        ended = f"after epochs={self.epochs}"
        if stalled:
            ended = f"after {self.n_iter_} epochs, the last {self.patience} without progress,"
        warnings.warn(
            f"{type(self).__name__} ended {ended} with a gradient norm of "
            f"{last:.1e} of the initial one, above tol={self.tol:g}; more epochs, standardised "
            "features or feature_scale='per_feature' come closer, tol=0 expects nothing",
            shared_with_sklearn(ConvergenceWarning),
            stacklevel=4,
        )

    def _note_features(self, X: npt.ArrayLike, x: np.ndarray) -> None:
        """Sets `n_features_in_` and, for a data frame, `feature_names_in_`."""
        self.n_features_in_ = x.shape[1]
        names = input_arrays.feature_names(X)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _scores(self, X: npt.ArrayLike) -> np.ndarray:
        """The scores [n, outputs] of X.

        Raises:
            NotFittedError: `fit` was not called.
            InputError: X is not valid, or has other features than the data of `fit`.
        """
        if not self._is_fitted():
            raise shared_with_sklearn(NotFittedError)(
                f"This {type(self).__name__} is not fitted yet: call fit(X, y) first"
            )
        names, fitted = input_arrays.feature_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and fitted is not None and list(names) != list(fitted):
            raise InputError(
                "The feature names should match those that were passed during fit: "
                f"{', '.join(fitted[:5])}, ... Received: {', '.join(names[:5])}, ..."
            )
        x = input_arrays.features(X)
        input_arrays.check_finite("X", x)
        if x.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return prediction.scores(x, *self._weights())

    def _is_fitted(self) -> bool:
        return hasattr(self, "coef_")

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        """`coef_` and `intercept_` as [outputs, d] and [outputs]."""
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
