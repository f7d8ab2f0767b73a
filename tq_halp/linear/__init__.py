"""Linear models trained by LM-HALP, as estimators that follow scikit-learn's conventions.

    LMHALPRegressor     least squares, ridge
    LMHALPClassifier    logistic regression; softmax regression for more than two classes

Both run on `quant_ops.LinearSolver`: dot products and updates in integers of 8 or 16 bits, or the
floating-point baselines. scikit-learn need not be installed; where it is, the estimators work in
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
