"""Logistic and softmax regression by LM-HALP."""

import numpy as np
import numpy.typing as npt

from tq_halp.linear import input_arrays, prediction
from tq_halp.linear.base_estimator import LinearEstimator
from tq_halp.linear.class_labels import classes_of
from tq_halp.linear.hyperparameters import check_parameters
from tq_halp.linear.warm_start import check_classes


class LMHALPClassifier(LinearEstimator):
    """Logistic regression, or softmax regression for more than two classes, in low precision.

    It minimises, with sample weights s (1 if not given) and a = Wx + b,

        two classes   Σ_i s_i (log(1 + exp(a_i)) − t_i a_i) / Σ_i s_i + l2/2 ‖w‖²,  t_i in {0, 1}
        more          Σ_i s_i (log Σ_c exp(a_ic) − a_i,y_i) / Σ_i s_i + l2/2 ‖W‖²

    The intercepts are not penalised. scikit-learn's `LogisticRegression` has the same minimum for C
    = 1 / (l2 · Σ_i s_i). For separable classes and l2 = 0 there is no minimum: the weights grow
    until `tol` or `epochs` ends training.

    Training with intercepts starts from W = 0 and the b whose predictions are the weighted shares
    of the classes; `tol` refers to the gradient there.

    The parameters and attributes are those of `LMHALPRegressor`, and

        classes_: the sorted labels.
        coef_: float64 [1, features] for two classes, else [classes, features];
        intercept_: float64 [1] or [classes].

    De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3 and
    Section 5.
    """

    _estimator_type = "classifier"
    classes_: np.ndarray

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> "LMHALPClassifier":
        """Trains on X [n, features] and labels y [n].

        Args:
            X: dense and finite. Arrays of floats of 16, 32 or 64 bits and of integers are read
                where they are, in any order of memory; mapped files are never in memory as a whole.
            y: integers, strings, booleans, or anything that can be sorted; two classes or more.
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
        weights = input_arrays.weight_vector(sample_weight, len(x))
        classes, indices = classes_of(y, weights)
        if self.warm_start and self._is_fitted():
            check_classes(self.classes_, classes)
        binary = len(classes) == 2
        self.coef_, self.intercept_ = self._train(
            x,
            indices,
            weights,
            loss="logistic" if binary else "softmax",
            outputs=1 if binary else len(classes),
        )
        self.classes_ = classes
        self._note_features(X, x)
        return self

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """The scores a = Wx + b of X [n, features], float64.

        Returns:
            [n] for two classes, where a score above 0 means the second one; else [n, classes].

        Raises:
            InputError: X does not fit the data of `fit`.
            NotFittedError: `fit` was not called.
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """The most probable class of each sample of X [n, features]: [n], of the labels' dtype.

        Raises:
            InputError, NotFittedError: as `decision_function`.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return self.classes_[(scores[:, 0] > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]

    def predict_log_proba(self, X: npt.ArrayLike) -> np.ndarray:
        """The logarithms of `predict_proba`, float64 [n, classes]; exact for tiny ones too.

        Raises:
            InputError, NotFittedError: as `decision_function`.
        """
        return prediction.log_probabilities(self._scores(X))

    def predict_proba(self, X: npt.ArrayLike) -> np.ndarray:
        """The probabilities σ(a) or softmax(a), float64 [n, classes], in the order of `classes_`.

        Raises:
            InputError, NotFittedError: as `decision_function`.
        """
        return np.exp(self.predict_log_proba(X))

    def score(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The accuracy: the weighted share of the samples that are predicted right.

        Raises:
            InputError, NotFittedError: as `decision_function`, or y does not fit X.
        """
        predicted = self.predict(X)
        y = input_arrays.target_vector(y, len(predicted), type(self).__name__)
        weights = input_arrays.weight_vector(sample_weight, len(y))
        return prediction.mean(np.asarray(predicted == y, np.float64), weights)
