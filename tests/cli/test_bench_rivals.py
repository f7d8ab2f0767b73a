"""The race of whole fits: what counts as reached, who takes part, and the command."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from tq_halp.commands import bench
from tq_halp.commands.bench import linear_rivals
from tq_halp.commands.bench.rivals import contenders, problems, race

RIVALS = ["linear", "--rivals", "--threads", "1"]


class Halving:
    """An "estimator" whose only weight is 1 + 2^-iterations times the optimum's."""

    def __init__(self, iterations):
        self.iterations = iterations

    def fit(self, x, y):
        self.coef_, self.intercept_ = np.array([2.0 * (1 + 0.5**self.iterations)]), 0.0
        return self

    def predict(self, x):
        return x[:, 0] * self.coef_[0]


def line(n=100):
    """y = 2 x + 1, x = ±1: the loss of slope w is ((w − 2)² + 1) / 2 without a penalty."""
    x = np.tile([[1.0], [-1.0]], (n // 2, 1)).astype(np.float32)
    y = 2 * x[:, 0] + 1.0
    return problems.FitProblem(name="line", x=x, y=y, test_x=x, test_y=y, is_regression=True)


def test_the_fewest_iterations_count(monkeypatch):
    monkeypatch.setattr(race, "L2", 0.0)
    contender = contenders.Contender("Halving", lambda problem, k, threads: Halving(k))
    best = 0.5
    row = race.measured(contender, line(), 1, best)
    # 4^-k * 4 is the excess: 1.01 needs k = 5 (0.0039), 1.001 k = 6 (0.00098), 1.0001 8 of BUDGETS.
    found = [row[f"iterations_{target}"] for target in race.TARGETS]
    assert found == [5, 6, 8]
    assert all(row[f"seconds_{target}"] >= 0 for target in race.TARGETS)
    assert float(row["last_ratio"]) == pytest.approx(1 + 4 * 4.0**-8, abs=1e-6)
    assert float(row["test_error"]) == pytest.approx(np.sqrt(1 + 4 * 4.0**-8), abs=1e-3)


def test_a_direct_solver_fits_once_and_what_is_not_reached_is_left_out(monkeypatch):
    monkeypatch.setattr(race, "L2", 0.0)
    direct = contenders.Contender("Direct", lambda p, k, threads: Halving(k), is_direct=True)
    row = race.measured(direct, line(), 1, 0.5)
    assert row["last_ratio"] == f"{1 + 4 / 4:.6f}" and "iterations_1.01" not in row


@pytest.mark.filterwarnings("ignore::UserWarning")  # of 40 epochs that are too few
@pytest.mark.parametrize("name", ["condition-1e2", "fourier"])
def test_the_least_loss_is_the_least(name):
    problem = problems.problem(name, 0.005)
    best = race.least_loss(problem)
    for contender in contenders.CONTENDERS:
        if contender.label in ("LM-HALP 8/8", "LM-HALP 16/16", "SVRG, float32"):
            model = contender.make(problem, 40, 1)
            model.fit(problem.x, problem.y)
            assert best <= race.objective(model, problem) * (1 + 1e-9) < 1.05 * best


def test_the_objective_by_hand():
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([0, 1])
    two = problems.FitProblem(name="two", x=x, y=y, test_x=x, test_y=y)
    # Scores -1 and 2: both losses are log(1 + exp(-|score|)).
    expected = np.mean(np.log1p(np.exp([-1.0, -2.0]))) + contenders.L2 / 2 * 9
    model = SimpleNamespace(coef_=np.array([[3.0]]), intercept_=np.array([-4.0]))
    assert race.objective(model, two) == pytest.approx(expected, rel=1e-12)
    # The same as a softmax of two classes whose scores differ by that.
    model = SimpleNamespace(coef_=np.array([[0.0], [3.0]]), intercept_=np.array([0.0, -4.0]))
    assert race.objective(model, two) == pytest.approx(expected, rel=1e-12)


def test_classes_and_probabilities_are_both_judged():
    problem = problems.problem("condition-1e2", 0.002)

    class Sure(Halving):
        def predict(self, x):
            return np.full(len(x), 0.75)

    assert race.test_error(Sure(1), problem) == pytest.approx(np.mean(problem.test_y != 1))


def test_the_command(tmp_path, capsys):
    path = tmp_path / "rivals.csv"
    arguments = ["--datasets", "condition-1e4", "--scale", "0.002", "--csv", str(path)]
    assert bench.main([*RIVALS, *arguments]) == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == linear_rivals.FIELDS
    labels = [row["contender"] for row in rows]
    assert {"LM-HALP 8/8", "SVRG, float32", "scikit-learn, lbfgs"} <= set(labels)
    assert "scikit-learn, cholesky" not in labels  # of regressions
    printed = capsys.readouterr().out
    assert all(label in printed for label in labels)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([*RIVALS, "--epochs", "3"], "--epochs has no effect with --rivals"),
        ([*RIVALS, "--threads", "100000"], "--threads must be at most"),
        ([*RIVALS, "--data-bits", "8"], "--data-bits has no effect with --rivals"),
        ([*RIVALS, "--datasets", "25000x4096"], "condition-1e4, fourier, a9a, mnist with --rivals"),
        (
            ["linear", "--datasets", "fourier"],
            "25000x4096, mnist without --rivals. Received: 'four",
        ),
    ],
)
def test_what_does_not_belong_to_the_benchmark(arguments, message, capsys):
    assert bench.main(arguments) == 2
    assert message in capsys.readouterr().err
