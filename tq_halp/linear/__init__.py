"""Linear models trained by LM-HALP, as estimators with scikit-learn's conventions.

    LMHALPRegressor     least squares, ridge
    LMHALPClassifier    logistic regression; softmax for more than two classes

Both run on `quant_ops.LinearSolver`: integer dot products and updates in 8 or 16 bits, or the
baselines in floating point. scikit-learn is not needed; where it is in use the estimators work in
its pipelines and searches.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Section 5.
"""

from tq_halp.linear.classifier import LMHALPClassifier
from tq_halp.linear.regressor import LMHALPRegressor
from tq_halp.linear.sklearn_protocol import (
    ConvergenceWarning,
    DataConversionWarning,
    NotFittedError,
)

__all__ = [
    "ConvergenceWarning",
    "DataConversionWarning",
    "LMHALPClassifier",
    "LMHALPRegressor",
    "NotFittedError",
]
