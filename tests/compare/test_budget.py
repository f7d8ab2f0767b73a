"""Evaluations at equal budgets, by rows made by hand."""

from runs_by_hand import rows

from tq_halp.commands.compare.equal_budget import (
    ACCURACY,
    LOSS,
    PERPLEXITY,
    at_budget,
    common_budget,
    metrics_of,
)

HALP = [{k: str(v) for k, v in row.items()} for row in rows([9.0, 4.0, 2.0, 1.0], passes=3.0)]
SGD = [{k: str(v) for k, v in row.items()} for row in rows([9.0, 5.0, 3.0, 2.5, 2.4])]


def test_the_budget_is_what_all_reached():
    assert common_budget([HALP, SGD], "epoch") == 3
    assert common_budget([HALP, SGD], "gradient_evaluations") == 4  # SGD's 4, not HALP's 9
    assert common_budget([], "epoch") is None


def test_the_last_evaluation_within_the_budget():
    assert at_budget(SGD, LOSS, "epoch", 3) == 2.5
    assert at_budget(HALP, LOSS, "gradient_evaluations", 4) == 4.0  # after 3 passes, not 6
    assert at_budget(SGD, LOSS, "gradient_evaluations", 4) == 2.4
    assert at_budget(HALP[1:], LOSS, "gradient_evaluations", 1) is None


def test_sums_of_minibatches_are_rounded():
    row = {"gradient_evaluations": "4.0000000000000036", "val_loss": "7.0"}
    assert at_budget([row], LOSS, "gradient_evaluations", 4) == 7.0


def test_metrics_are_those_that_are_there():
    assert metrics_of([SGD]) == [LOSS]
    assert metrics_of([SGD, [{"val_perplexity": "3"}]]) == [PERPLEXITY]
    assert metrics_of([[{"val_accuracy": "0.5", "val_perplexity": ""}]]) == [LOSS, ACCURACY]
