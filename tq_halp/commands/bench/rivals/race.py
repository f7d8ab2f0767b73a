"""Seconds from an array to coefficients that are nearly optimal, with the fewest iterations."""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tq_halp.commands.bench.rivals.contenders import (
    CONTENDERS,
    L2,
    NEVER,
    Contender,
    is_classification,
    is_narrow,
)
from tq_halp.commands.bench.rivals.problems import FitProblem

TARGETS = (1.01, 1.001, 1.0001)  # of the least loss
BUDGETS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 26, 34, 44, 60, 80, 110, 150, 200, 300, 500, 1000)
LONGEST = 6.0  # seconds; a longer fit is a contender's last
REPEATED, FITS = 1.0, 4  # fits of fewer seconds are timed so often more; the fastest one counts


def run(problem: FitProblem, threads: int) -> Iterator[dict[str, Any]]:
    """One row per contender that is installed and suits: see `measured`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few iterations
        best = least_loss(problem)
        for contender in CONTENDERS:
            if not contender.suits(problem):
                continue
            try:
                contender.make(problem, 1, threads)
            except ImportError:
                continue
            yield measured(contender, problem, threads, best)


def measured(
    contender: Contender, problem: FitProblem, threads: int, best: float
) -> dict[str, Any]:
    """The contender's row: for each of TARGETS the iterations, seconds and processor seconds of the
    shortest fit that reaches it, empty where none does; test error of its last fit."""
    row: dict[str, Any] = {"data": problem.name, "threads": threads, "contender": contender.label}
    open_targets = list(TARGETS)
    model, reached = None, np.inf
    for iterations in BUDGETS:
        model, wall, processor = timed_fit(contender, problem, iterations, threads)
        reached = objective(model, problem) / best
        crossed = [target for target in open_targets if reached <= target]
        if crossed:
            for _ in range(FITS if wall < REPEATED else 0):
                _, again, busy = timed_fit(contender, problem, iterations, threads)
                wall, processor = min((wall, processor), (again, busy))
        for target in crossed:
            open_targets.remove(target)
            row |= {
                f"iterations_{target}": iterations,
                f"seconds_{target}": round(wall, 5),
                f"processor_{target}": round(processor, 5),
            }
        if not open_targets or wall > LONGEST or contender.is_direct:
            break
    return row | {"last_ratio": f"{reached:.6f}", "test_error": f"{test_error(model, problem):.4f}"}


def timed_fit(
    contender: Contender, problem: FitProblem, iterations: int, threads: int
) -> tuple[Any, float, float]:
    """The fitted model, and the seconds that fit() took: on the wall and of the processor."""
    model = contender.make(problem, iterations, threads)
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(problem.x, problem.y)
    return model, time.perf_counter() - wall, time.process_time() - processor


def objective(model: Any, problem: FitProblem) -> float:
    """The mean loss and the penalty, in float64."""
    coefficients = np.atleast_2d(np.asarray(model.coef_, np.float64))
    if coefficients.shape[1] != problem.x.shape[1]:  # cyanure's are the other way round
        coefficients = coefficients.T
    intercepts = np.ravel(np.asarray(model.intercept_, np.float64))
    losses = np.concatenate(
        [
            _losses(problem, problem.x[rows] @ coefficients.T + intercepts, problem.y[rows])
            for rows in _blocks(problem.x)
        ]
    )
    return float(losses.mean() + L2 / 2 * np.sum(coefficients**2))


def least_loss(problem: FitProblem) -> float:
    """The optimum's, by scikit-learn in double precision."""
    from sklearn.linear_model import LogisticRegression, Ridge

    samples = len(problem.x)
    if problem.is_regression:
        exact: Any = Ridge(alpha=L2 * samples, solver="cholesky")
    else:
        newton = is_classification(problem) and is_narrow(problem)
        exact = LogisticRegression(
            C=1 / (L2 * samples),
            solver="newton-cholesky" if newton else "lbfgs",
            max_iter=3000,
            tol=NEVER if newton else 1e-9,
        )
    return objective(exact.fit(problem.x.astype(np.float64), problem.y), problem)


def test_error(model: Any, problem: FitProblem) -> float:
    """The share of wrong classes, or the root mean square error, of the test samples."""
    found = np.ravel(model.predict(problem.test_x))
    if problem.is_regression:
        return float(np.sqrt(np.mean((found - problem.test_y) ** 2)))
    if found.dtype.kind == "f" and problem.classes == 2:  # glum's are probabilities
        found = found > 0.5
    return float(np.mean(found != problem.test_y))


def _losses(problem: FitProblem, scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    if problem.is_regression:
        return (scores[:, 0] - y) ** 2 / 2
    if scores.shape[1] == 1:
        return np.logaddexp(0, scores[:, 0]) - y * scores[:, 0]
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]


def _blocks(x: np.ndarray) -> Iterator[slice]:
    rows = max(1, (1 << 23) // x.shape[1])
    return (slice(start, start + rows) for start in range(0, len(x), rows))
