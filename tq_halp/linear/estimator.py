"""What the two estimators share: parameters, the way from data to a trained solver."""

import os
import time
import warnings

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear import prediction, samples
from tq_halp.linear.interoperation import (
    ConvergenceWarning,
    NotFittedError,
    shared_with_sklearn,
    sklearn_tags,
)
from tq_halp.linear.parameters import Parameters, seed_of
from tq_halp.linear.repetition import without_repetition
from tq_halp.linear.step_size import automatic_learning_rate
from tq_halp.linear.training import Schedule, train
from tq_halp.linear.warm_start import gradient_norm_at_zero, initial_weights

# An epoch of fewer steps would be spent on the full gradient and on calls.
FEWEST_STEPS = 100
# Elements of X that are worth a thread.
PER_THREAD = 1 << 16
# Whose gradients have a norm that tells how good a learning rate is; that of SGD's is its noise.
ADAPTS = ("halp", "svrg")
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
        shape = (outputs, x.shape[1])
        x, targets, weights = without_repetition(x, targets, weights)
        scales = _column_scales(x) if self.feature_scale == "per_feature" else None
        l2 = np.full(x.shape[1], float(self.l2)) if self.l2 else None
        space = {"column_scales": scales, "intercept": bool(self.fit_intercept)}
        rate = self.learning_rate
        if rate == "auto":
            squares = 1.0 if scales is None else np.square(scales)
            rate = automatic_learning_rate(
                x, weights, loss=loss, batch_size=self.batch_size, l2=self.l2 * squares, **space
            )
        initial = None
        if self.warm_start and self._is_fitted():
            initial = initial_weights(*self._weights(), shape, self.fit_intercept)
        threads = self._threads(x.size)
        solver = _solver_class()(
            x,
            targets,
            loss=loss,
            algorithm=self.algorithm,
            outputs=outputs,
            sample_weights=weights,
            l2=l2,
            column_scales=scales,
            intercept=bool(self.fit_intercept),
            batch_size=min(int(self.batch_size), len(x)),
            word_bits=int(self.word_bits),
            data_bits=int(self.data_bits),
            weight_range=float(self.weight_range),
            initial=initial,
            seed=seed_of(self.random_state),
            n_threads=threads,
        )
        norm = solver.measurement["gradient_norm"]
        if initial is not None:
            norm = gradient_norm_at_zero(x, targets, weights, loss=loss, outputs=outputs, **space)
        self.setup_seconds_ = time.perf_counter() - start
        batches = -(-len(x) // int(self.batch_size))
        adapts = self.learning_rate == "auto" and self.algorithm in ADAPTS
        schedule = Schedule(
            algorithm=self.algorithm,
            learning_rate=float(rate),
            growth=GROWTH[loss] if adapts else None,
            steps=int(self.inner_steps or max(batches, FEWEST_STEPS)),
            mu=None if self.mu == "auto" else float(self.mu),
            word_bits=int(self.word_bits),
            epochs=int(self.epochs),
            tolerance=float(self.tol) * norm,
            patience=int(self.patience),
            n_threads=threads,
            callback=self.callback,
        )
        (self.start_, *self.history_), self.stop_reason_ = train(solver, schedule)
        self.n_iter_, self.learning_rate_ = len(self.history_), schedule.learning_rate
        if self.stop_reason_ == "epochs" and self.tol > 0:
            self._warn_unfinished(norm)
        found = np.array(solver.weights(), np.float64)
        if self.fit_intercept:
            return found[:, :-1], found[:, -1]
        return found, np.zeros(outputs)

    def _warn_unfinished(self, norm):
        last = self.history_[-1]["gradient_norm"] / norm
        warnings.warn(
            f"{type(self).__name__} ended after epochs={self.epochs} with a gradient norm of "
            f"{last:.1e} of the initial one, above tol={self.tol:g}; more epochs, standardised "
            "features or feature_scale='per_feature' come closer, tol=0 expects nothing",
            shared_with_sklearn(ConvergenceWarning),
            stacklevel=4,
        )

    def _note_features(self, X, x):
        self.n_features_in_ = x.shape[1]
        names = samples.feature_names(X)
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
        names, fitted = samples.feature_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and fitted is not None and list(names) != list(fitted):
            raise InputError(
                "The feature names should match those that were passed during fit: "
                f"{', '.join(fitted[:5])}, ..., received {', '.join(names[:5])}, ..."
            )
        x = samples.features(X)
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

    def _threads(self, size):
        """No more than cores: the inner loop's threads wait for each other actively."""
        cores = _usable_cores()
        return min(cores, int(self.n_threads or 1 + size // PER_THREAD))


def _usable_cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _column_scales(x):
    """1 / max_i |x_ij|: every column on [-1, 1]; 1 where a column is 0."""
    largest = np.maximum(np.abs(x.max(axis=0).astype(float)), np.abs(x.min(axis=0).astype(float)))
    return 1.0 / np.where(largest > 0, largest, 1.0)


def _solver_class():
    # Imports TensorFlow: not before there is something to train.
    from quant_ops import LinearSolver

    return LinearSolver
