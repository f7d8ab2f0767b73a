"""Least squares by LM-HALP."""

import numpy as np
import numpy.typing as npt

from tq_halp.linear import input_arrays, prediction
from tq_halp.linear.estimator import LinearEstimator
from tq_halp.linear.parameters import check_parameters


class LMHALPRegressor(LinearEstimator):
    """Least squares, with l2 ridge regression, trained in low precision. It minimises

        Σ_i s_i (x_iᵀw + b − y_i)² / (2 Σ_i s_i) + l2/2 ‖w‖²

    with sample weights s (1 if not given); the intercept b is not penalised. scikit-learn's `Ridge`
    has the same minimum for alpha = l2 · Σ_i s_i.

    With an intercept training starts from b = the weighted mean of y, w = 0, and columns whose mean
    is more than twice their range are centred: neither an offset of y nor one of X changes what is
    found. Magnitudes are limited by float64's squares alone, 1e±140.

    The integer algorithms solve the problem of the *quantized* X: nearest multiples of
    max|X| / (2^(data_bits − 1) − 1). Standardise features first, or use
    feature_scale="per_feature", so that a small feature is not lost beside a large one; a column
    that is, and would explain y, is warned of.

    Parameters:
        word_bits: 8 or 16, of HALP's offsets and of the low-precision baselines' weights.
        data_bits: 4, 8 or 16, of the quantized X; 8 for floating-point algorithms means nothing.
        mu: HALP's scale: offsets reach ‖∇f(w̃)‖ / mu. "auto" follows the offsets seen.
        learning_rate: "auto" is 1 / (2 L(b)) with L(b) the smoothness of minibatches.
        batch_size: samples of a step.
        epochs: outer epochs at most: inner steps, then a pass over all data. 500 reach `tol` where
            L / (smallest curvature) is below some thousands times the steps of an epoch.
        l2: of the penalty, 0 or above.
        algorithm: "halp"; "svrg" and "sgd" in float32 (float64 for a float64 X, and for a float32
            X whose numbers are so small that float32 loses bits of them); "lp_svrg" and "lp_sgd",
            whose weights are on a fixed grid. SGD and the last two end at a floor.
        n_threads: None for the usable cores where the data is large enough to share; more than
            there are cores count as that many.
        random_state: seed of batches and rounding: integer, NumPy generator, or None.
        fit_intercept: False fixes b = 0.
        tol: training ends when the gradient's norm is below tol times that at the start of a fresh
            fit: w = 0, b as said above. With 0 it goes on until nothing improves.
        inner_steps: of an epoch; None for one pass over the data, at least 100.
        feature_scale: "per_feature" divides every column by its largest magnitude before it is
            quantized, which is also the space that gradients are taken in. coef_ is for X itself.
        weight_range: the fixed grid of "lp_svrg" and "lp_sgd" covers [−weight_range, weight_range).
        patience: training ends after so many epochs that improved neither loss nor gradient.
        warm_start: start from the last fit's weights, for as many features and outputs, unless the
            loss there is above a fresh start's; every other parameter may have changed. There is no
            partial_fit.
        callback: called with a copy of every epoch's record; True returned ends training.

    Attributes:
        coef_: float64 [features]; intercept_: float.
        n_iter_: outer epochs run; stop_reason_: "tolerance", "no_progress", "callback", "epochs".
        history_: a dict per outer epoch: epoch, loss, gradient_norm, seconds, inner_seconds,
            gradient_seconds, learning_rate, scale (of the offsets' grid), saturated (share of
            offsets at its ends), mu. Loss and gradient are of the objective above for the
            quantized, centred and scaled X, its intercept the weight of a column with X's root mean
            square.
            `seconds` is the time of inner steps and full gradient; of the first alone for "sgd"
            and "lp_sgd", where the other only measures.
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
            X: dense and finite. C-contiguous uint8, float32 and float64 arrays are used without a
                copy; float16, bool and integers are converted.
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
