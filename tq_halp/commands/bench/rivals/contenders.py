"""Who takes part in the race: each is an estimator that runs so many iterations, if it is there.

All minimise the mean loss + L2 / 2 times the squared weights, without the intercept's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tq_halp.commands.bench.rivals.problems import FitProblem

L2 = 1e-4
NEVER = 1e-14  # a tolerance that ends no fit before its iterations are done
MOST_FEATURES = 1200  # of solvers that factorise a Hessian

Make = Callable[[FitProblem, int, int], Any]


@dataclass(frozen=True)
class Contender:
    """An estimator.

    Args:
        label: in tables.
        make: (problem, iterations, threads) -> an unfitted estimator; ImportError where its package
            is not installed.
        suits: whether it can fit a problem in reasonable time.
        is_direct: whether one fit finds the optimum, whatever the iterations.
    """

    label: str
    make: Make
    suits: Callable[[FitProblem], bool] = lambda problem: True
    is_direct: bool = False


def is_narrow(problem: FitProblem) -> bool:
    """Whether a Hessian of all weights is small enough to be factorised."""
    return problem.x.shape[1] * max(1, problem.classes - 1) <= MOST_FEATURES


def is_classification(problem: FitProblem) -> bool:
    """Whether y holds classes."""
    return not problem.is_regression


def is_binary(problem: FitProblem) -> bool:
    """Whether there are two classes."""
    return problem.classes == 2


def ours(algorithm: str, word_bits: int = 8, data_bits: int = 8) -> Make:
    """An estimator of `tq_halp.linear`; an iteration is an outer epoch."""

    def make(problem: FitProblem, iterations: int, threads: int) -> Any:
        from tq_halp.linear import LMHALPClassifier, LMHALPRegressor

        kind = LMHALPRegressor if problem.is_regression else LMHALPClassifier
        return kind(word_bits, data_bits, algorithm=algorithm, l2=L2, epochs=iterations, tol=0.0,
                    n_threads=threads)  # fmt: skip

    return make


def scikit_learn(solver: str) -> Make:
    """LogisticRegression with a solver, or Ridge where the solver is one of Ridge's."""

    def make(problem: FitProblem, iterations: int, threads: int) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        samples = len(problem.x)
        if problem.is_regression:
            return Ridge(alpha=L2 * samples, solver=solver, max_iter=iterations, tol=NEVER)
        return LogisticRegression(
            C=1 / (L2 * samples), solver=solver, max_iter=iterations, tol=NEVER
        )

    return make


def intelex(problem: FitProblem, iterations: int, threads: int) -> Any:
    """scikit-learn-intelex: oneDAL's lbfgs, or its normal equations."""
    from sklearnex.linear_model import LogisticRegression, Ridge

    samples = len(problem.x)
    if problem.is_regression:
        return Ridge(alpha=L2 * samples)
    return LogisticRegression(C=1 / (L2 * samples), max_iter=iterations, tol=NEVER)


def glum(problem: FitProblem, iterations: int, threads: int) -> Any:
    """glum's iteratively reweighted least squares."""
    from glum import GeneralizedLinearRegressor

    family = "normal" if problem.is_regression else "binomial"
    return GeneralizedLinearRegressor(
        family=family, alpha=L2, l1_ratio=0, max_iter=iterations, gradient_tol=NEVER
    )


def cyanure(problem: FitProblem, iterations: int, threads: int) -> Any:
    """cyanure's own choice among its variance-reduced and accelerated solvers."""
    from cyanure.estimators import Classifier, Regression

    options: dict[str, Any] = {"lambda_1": L2, "max_iter": iterations, "tol": NEVER}
    options |= {"penalty": "l2", "fit_intercept": True, "n_threads": threads, "verbose": False}
    if problem.is_regression:
        return Regression(**options)
    loss = "multiclass-logistic" if problem.classes > 2 else "logistic"
    return Classifier(loss=loss, **options)


INTEGERS = (
    Contender("LM-HALP 8/8", ours("halp")),
    Contender("LM-HALP 8/4", ours("halp", 8, 4)),
    Contender("LM-HALP 16/16", ours("halp", 16, 16)),
)
CONTENDERS = (
    *INTEGERS,
    Contender("SVRG, float32", ours("svrg")),
    Contender("intelex, lbfgs", intelex, is_classification),
    Contender("intelex, normal equations", intelex, lambda p: p.is_regression, is_direct=True),
    Contender("scikit-learn, lbfgs", scikit_learn("lbfgs"), is_classification),
    Contender(
        "scikit-learn, newton-cholesky",
        scikit_learn("newton-cholesky"),
        lambda p: is_classification(p) and is_narrow(p),
    ),
    Contender("scikit-learn, liblinear", scikit_learn("liblinear"), is_binary),
    Contender("scikit-learn, sag", scikit_learn("sag")),
    Contender("scikit-learn, saga", scikit_learn("saga")),
    Contender("scikit-learn, cholesky", scikit_learn("cholesky"), lambda p: p.is_regression, True),
    Contender("scikit-learn, lsqr", scikit_learn("lsqr"), lambda p: p.is_regression),
    Contender("glum, irls", glum, lambda p: p.classes <= 2 and is_narrow(p)),
    Contender("cyanure", cyanure),
)
#: Labels of the integers.
OURS = tuple(contender.label for contender in INTEGERS)
