"""What the two estimators share: parameters, the way from data to a trained solver."""

import time
import warnings

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear import input_arrays, prediction
from tq_halp.linear.fit_loop import Schedule, train
from tq_halp.linear.lost_columns import lost_columns
from tq_halp.linear.parameters import Parameters, seed_of
from tq_halp.linear.sklearn_protocol import (
    ConvergenceWarning,
    DataConversionWarning,
    NotFittedError,
    shared_with_sklearn,
    sklearn_tags,
)
from tq_halp.linear.solver_problem import problem_of
from tq_halp.linear.step_size import automatic_learning_rate
from tq_halp.linear.threads import thread_count

# An epoch of fewer steps would be spent on the full gradient and on calls.
FEWEST_STEPS = 100
# Whose gradients have a norm that tells how good a learning rate is; that of SGD's is its noise.
ADAPTS = ("halp", "svrg")
ON_GRID = ("lp_svrg", "lp_sgd")
INTEGER = ("halp", *ON_GRID)
# For a quadratic α = 1.6 / (2 L(b)) leaves α L(b) / (2 − α L(b)) = two thirds after an epoch.
GROWTH = {"squared": 1.6, "logistic": 64.0, "softmax": 64.0}


class LinearEstimator(Parameters):
    """Base of the estimators; a subclass has `_estimator_type`, `fit` and `predict`."""

    def __init__(
        self,
        word_bits=8,
        data_bits=8,
        mu="auto",
        learning_rate="auto",
        batch_size=64,
        epochs=500,
        l2=0.0,
        algorithm="halp",
        n_threads=None,
        random_state=0,
        *,
        fit_intercept=True,
        tol=1e-5,
        inner_steps=None,
        feature_scale="per_tensor",
        weight_range=1.0,
        patience=10,
        warm_start=False,
        callback=None,
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

    def __sklearn_tags__(self):
        return sklearn_tags(self._estimator_type)

    def _train(self, x, targets, weights, *, loss, outputs):
        """Trains on checked samples; sets what every fit sets but the weights.

        Returns:
            coefficients [outputs, d] and intercepts [outputs], float64.
        """
        start = time.perf_counter()
        before = self._last_fit((outputs, x.shape[1]))
        problem = problem_of(
            x,
            targets,
            weights,
            loss=loss,
            outputs=outputs,
            intercept=bool(self.fit_intercept),
            per_feature=self.feature_scale == "per_feature",
            l2=float(self.l2),
            steps=2 ** (self.word_bits - 1) - 1 if self.algorithm == "halp" else None,
        )
        self._warn_lost(problem)
        rate = self._rate(problem)
        solver, norm = self._started(problem, before)
        self.setup_seconds_ = time.perf_counter() - start
        schedule = self._schedule(problem, rate, norm)
        (self.start_, *self.history_), self.stop_reason_ = train(solver, schedule)
        self.n_iter_ = len(self.history_)
        self.learning_rate_ = rate * problem.units.feature**2
        self._warn_unfinished(norm * problem.units.target / problem.units.feature)
        return problem.fitted(solver.weights())

    def _last_fit(self, shape):
        """Coefficients and intercepts to continue from; None for a fresh start.

        Raises:
            InputError: they are for other data, or not finite.
        """
        if not (self.warm_start and self._is_fitted()):
            return None
        coefficients, intercepts = self._weights()
        if coefficients.shape != shape:
            raise InputError(
                f"warm_start continues a fit with coefficients of shape {coefficients.shape}, "
                f"received data for {shape}; set warm_start=False or fit data of the same kind"
            )
        if not (np.isfinite(coefficients).all() and np.isfinite(intercepts).all()):
            raise InputError(
                "warm_start continues from coef_ and intercept_, which must be finite, received "
                "NaN or infinity; set warm_start=False"
            )
        return coefficients, intercepts

    def _started(self, problem, before):
        """The solver at its start, and the gradient's norm of a fresh one.

        The last fit's weights may be far off for other data: where its loss is above that of a
        fresh start, that is what training begins with.
        """
        if before is not None:
            solver = self._solver(problem, problem.weights_of(*before))
            if solver.measurement["loss"] <= problem.first_loss():
                return solver, problem.first_gradient_norm()
        solver = self._solver(problem, problem.first_weights())
        return solver, solver.measurement["gradient_norm"]

    def _rate(self, problem):
        """The solver's learning rate: that of the user, or an automatic one."""
        if self.learning_rate != "auto":
            return _representable("learning_rate", problem.units.rate(float(self.learning_rate)))
        return automatic_learning_rate(
            problem.x,
            problem.weights,
            loss=problem.loss,
            batch_size=self.batch_size,
            column_scales=problem.scales,
            intercept=problem.intercept,
            l2=self.l2 * (1.0 if problem.scales is None else np.square(problem.scales)),
            norms=problem.norms,
        )

    def _solver(self, problem, initial):
        units = problem.units
        return _solver_class()(
            problem.x,
            problem.targets,
            loss=problem.loss,
            algorithm=self.algorithm,
            outputs=problem.outputs,
            sample_weights=problem.weights,
            l2=float(self.l2),
            column_scales=problem.scales,
            intercept=problem.intercept,
            batch_size=min(int(self.batch_size), len(problem.x)),
            word_bits=int(self.word_bits),
            data_bits=int(self.data_bits),
            weight_range=self._weight_range(units),
            initial=initial,
            seed=seed_of(self.random_state),
            n_threads=thread_count(self.n_threads, problem.x.size),
        )

    def _weight_range(self, units):
        """The solver's; that of algorithms without a fixed grid means nothing."""
        if self.algorithm not in ON_GRID:
            return 1.0
        value = float(self.weight_range) / units.target / units.feature
        return _representable("weight_range", float(np.float32(value)))

    def _schedule(self, problem, rate, norm):
        batches = -(-len(problem.x) // int(self.batch_size))
        adapts = self.learning_rate == "auto" and self.algorithm in ADAPTS
        mu = self.mu
        if mu != "auto":
            mu = _representable("mu", problem.units.mu(float(mu)))
        return Schedule(
            algorithm=self.algorithm,
            learning_rate=rate,
            growth=GROWTH[problem.loss] if adapts else None,
            steps=int(self.inner_steps or max(batches, FEWEST_STEPS)),
            mu=None if mu == "auto" else mu,
            word_bits=int(self.word_bits),
            epochs=int(self.epochs),
            tolerance=self._tolerance(problem, norm),
            patience=int(self.patience),
            n_threads=thread_count(self.n_threads, problem.x.size),
            callback=self.callback,
            units=problem.units,
        )

    def _tolerance(self, problem, norm):
        """Of the gradient's norm. A start whose gradient is rounding alone is the optimum."""
        floats = self.algorithm not in INTEGER and problem.x.dtype != np.float64
        rounding = problem.rounding(np.finfo(np.float32 if floats else np.float64).eps)
        return norm if self.tol and norm <= rounding else float(self.tol) * norm

    def _warn_lost(self, problem):
        if self.algorithm not in INTEGER or self.feature_scale == "per_feature":
            return
        lost = lost_columns(problem, int(self.data_bits))
        if len(lost):
            warnings.warn(
                f"X's columns {', '.join(map(str, lost[:5]))}{', ...' * (len(lost) > 5)} are lost: "
                "they vary with y and are 0 in the quantized X, whose step is that of its largest "
                "element; use feature_scale='per_feature', standardise, or take more data_bits",
                shared_with_sklearn(DataConversionWarning),
                stacklevel=4,
            )

    def _warn_unfinished(self, norm):
        """SGD and the low-precision baselines end at a floor, which nobody expects to be below."""
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

    def _note_features(self, X, x):
        self.n_features_in_ = x.shape[1]
        names = input_arrays.feature_names(X)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _scores(self, X):
        """[n, outputs] for new data, checked against what was fitted."""
        if not self._is_fitted():
            raise shared_with_sklearn(NotFittedError)(
                f"This {type(self).__name__} is not fitted yet: call fit(X, y) first"
            )
        names, fitted = input_arrays.feature_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and fitted is not None and list(names) != list(fitted):
            raise InputError(
                "The feature names should match those that were passed during fit: "
                f"{', '.join(fitted[:5])}, ..., received {', '.join(names[:5])}, ..."
            )
        x = input_arrays.features(X)
        if x.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return prediction.scores(x, *self._weights())

    def _is_fitted(self):
        return hasattr(self, "coef_")

    def _weights(self):
        """coef_ and intercept_ as [outputs, d] and [outputs]."""
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)


def _representable(name, value):
    """A parameter in the solver's units."""
    if not 0 < value < np.inf:
        raise InputError(
            f"{name} must suit the magnitudes of X and y: for these float64 cannot hold what it "
            "means; bring X and y near 1"
        )
    return value


def _solver_class():
    # Imports TensorFlow: not before there is something to train.
    from quant_ops import LinearSolver

    return LinearSolver
