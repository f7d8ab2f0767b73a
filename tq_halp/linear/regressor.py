"""Least squares by LM-HALP."""

import numpy as np
import numpy.typing as npt

from tq_halp.linear import input_arrays, prediction
from tq_halp.linear.base_estimator import LinearEstimator
from tq_halp.linear.hyperparameters import check_parameters


class LMHALPRegressor(LinearEstimator):
    """Least squares, or ridge regression with l2 > 0, trained in low precision. It minimises

        Σ_i s_i (x_iᵀw + b − y_i)² / (2 Σ_i s_i) + l2/2 ‖w‖²

    with sample weights s (1 if not given). The intercept b is not penalised. scikit-learn's `Ridge`
    has the same minimum for alpha = l2 · Σ_i s_i.

    Training with an intercept starts from w = 0 and b = the weighted mean of y, and columns whose
    mean is more than twice their range are centred. So offsets of y or X do not change the result.
    Magnitudes are limited only by the range of float64's squares, 1e±140.

    The integer algorithms solve the problem of the *quantized* X: each element is rounded to a
    multiple of max|X| / (2^(data_bits − 1) − 1). Standardise the features first, or use
    feature_scale="per_feature", so that small features are not lost beside large ones. `fit` warns
    of a column that is lost although it would explain y.

    Parameters:
        word_bits: 8 or 16: bits of HALP's offsets, or of the low-precision baselines' weights.
        data_bits: 4, 8 or 16: bits of the quantized X. "svrg" and "sgd" do not use it.
        mu: HALP's scale parameter: offsets reach ‖∇f(w̃)‖ / mu. "auto" follows the offsets seen.
        learning_rate: a number, or "auto": 1 / (2 L(b)), L(b) the smoothness of minibatches, then
            adapted.
        batch_size: samples in a minibatch.
        epochs: largest number of outer epochs, each of inner steps and a pass over all data. 500
            reach `tol` if the condition number is below some thousands times an epoch's steps.
        l2: factor of the penalty, 0 or above.
        algorithm: "halp"; "svrg" or "sgd" in float32 (in float64 for a float64 X, and for a float32
            X with numbers so small that float32 loses bits of them); "lp_svrg" or "lp_sgd", whose
            weights are on a fixed grid. "sgd", "lp_svrg" and "lp_sgd" end at a noise floor.
        n_threads: at most the usable cores. None takes all of them where the data is large enough.
        random_state: seed of minibatches and rounding: an integer, a NumPy generator, or None.
        fit_intercept: False fixes b = 0.
        tol: training ends when the gradient norm is below tol times that at a fresh start. With 0
            it continues until there is no progress.
        inner_steps: steps in an epoch. None: one pass over the data, at least 100 steps.
        feature_scale: "per_tensor"; or "per_feature", which divides every column by its largest
            magnitude before it is quantized. Gradients are then taken with respect to the weights
            of the scaled columns; coef_ is for X itself.
        weight_range: the fixed grid of "lp_svrg" and "lp_sgd" covers [−weight_range, weight_range).
        patience: training ends after so many epochs without progress in loss or gradient.
        warm_start: start from the weights of the last fit, which had as many features and outputs,
            unless the loss there is above that of a fresh start. All other parameters may have
            changed. There is no partial_fit.
        callback: called with a copy of the record of every epoch; training ends if it returns True.

    Attributes:
        coef_: float64 [features]; intercept_: float.
        n_iter_: outer epochs run; stop_reason_: "tolerance", "no_progress", "callback", "epochs".
        history_: a dict per outer epoch: epoch, loss, gradient_norm, seconds, inner_seconds,
            gradient_seconds, learning_rate, scale (step of the offsets' grid), saturated (share of
            the offsets at the ends of their range), mu. loss and gradient_norm are those of the
            objective above for the quantized, centred and scaled X; there the intercept is the
            weight of a constant column, the root mean square of X. `seconds` is the sum of inner
            steps and full gradient; for "sgd" and "lp_sgd", where the full gradient only measures,
            it is the time of the inner steps.
        start_: such a dict for the start; setup_seconds_: choosing a rate, quantizing, copying.
        learning_rate_; n_features_in_; feature_names_in_ (for data frames).

    De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3 and
    Section 5.
    """

    _estimator_type = "regressor"

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> "LMHALPRegressor":
        """Trains on X [n, features] and y [n].

        Args:
            X: dense and finite. Arrays of floats of 16, 32 or 64 bits and of integers are read
                where they are, in any order of memory; mapped files are never in memory as a whole.
            y: finite numbers.
            sample_weight: [n], 0 or above; a weight of k is the same as k copies of the sample.

        Returns:
            The estimator itself.

        Raises:
            InputError, TypeError: a parameter or an array is not valid; the message says what would
                be.
            RuntimeError, MemoryError: there are not enough threads or memory. The last fit is kept.
        """
        check_parameters(self)
        x = input_arrays.features(X)
        y = input_arrays.target_vector(y, len(x), type(self).__name__)
        y = input_arrays.real_targets(y)
        weights = input_arrays.weight_vector(sample_weight, len(x))
        coefficients, intercepts = self._train(x, y, weights, loss="squared", outputs=1)
        self.coef_, self.intercept_ = coefficients[0], float(intercepts[0])
        self._note_features(X, x)
        return self

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """X·coef_ + intercept_, float64 [n].

        Raises:
            InputError: X does not fit the data of `fit`.
            NotFittedError: `fit` was not called.
        """
        return self._scores(X)[:, 0]

    def score(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """R² = 1 − Σ s_i (y_i − ŷ_i)² / Σ s_i (y_i − ȳ)²; for a constant y 1 if exact, else 0.

        Raises:
            InputError, NotFittedError: as `predict`, or y does not fit X.
        """
        predicted = self.predict(X)
        y = input_arrays.target_vector(y, len(predicted), type(self).__name__)
        y = input_arrays.real_targets(y)
        weights = input_arrays.weight_vector(sample_weight, len(y))
        left = prediction.mean((y - predicted) ** 2, weights)
        all_ = prediction.mean((y - prediction.mean(y, weights)) ** 2, weights)
        if all_ == 0:
            return 1.0 if left == 0 else 0.0
        return float(np.subtract(1.0, left / all_))
