"""The page of experiments/linear_race, from made-up rows."""

from experiments.linear_race import tables
from tq_halp.commands.bench.rivals.race import TARGETS


def row(contender, seconds, data="a", threads="1"):
    """A contender that needs so many seconds to each target; None is never."""
    found = {"data": data, "threads": threads, "contender": contender}
    for target, value in zip(TARGETS, seconds, strict=True):
        found[f"seconds_{target}"] = found[f"processor_{target}"] = (
            "" if value is None else str(value)
        )
        found[f"iterations_{target}"] = "" if value is None else "3"
    return found | {"last_ratio": "1.0", "test_error": "0.1"}


ROWS = [
    row("LM-HALP 8/8", (0.001, 0.004, None)),
    row("LM-HALP 16/16", (0.002, 0.003, 0.9)),
    row("SVRG, float32", (0.0001, 0.0001, 0.0001)),
    row("intelex, lbfgs", (0.002, 0.002, 0.8)),
    row("LM-HALP 8/8", (0.5, 0.5, 0.5), data="b"),
    row("cyanure", (0.6, None, 0.4), data="b"),
]


def test_the_verdict_counts_our_integers_against_everybody_else():
    first, second, third = tables.verdict(ROWS)
    assert "to 1.01 of the least loss: LM-HALP is the fastest on 1 of 2 sets" in first
    assert "not on a (SVRG, float32)" in first  # ours, but not in integers
    assert "on 1 of 2 sets; not on a (SVRG, float32)" in second
    assert "on 0 of 2 sets" in third and "b (cyanure)" in third


def test_our_fastest_beside_the_others():
    head, rule, a, b = tables.fastest(ROWS).splitlines()
    assert head.count("|") == rule.count("|") == a.count("|")
    assert "**1.0 (8/8)** / 2.0 (intelex, lbfgs)" in a
    assert "3.0 (16/16) / **2.0 (intelex, lbfgs)**" in a
    assert "900.0 (16/16) / **800.0 (intelex, lbfgs)**" in a
    assert "**500.0 (8/8)** / not reached" in b


def test_set_up_is_in_readings_of_the_data():
    parts = {"reading": "0.02", "copying": "0.03", "first_gradient": "0.01", "learning_rate": "0.0"}
    same = {"data": "a", "threads": "1", "read_seconds": "0.02", **parts}
    rows = [
        same | {"fit_seconds": "0.1", "setup_seconds": "0.06"},
        same | {"fit_seconds": "0.4", "setup_seconds": "0.2"},
    ]
    text = tables.set_up(rows)
    assert "| a | 1 | 20.0 | 1.00 | 1.50 | 0.50 | 0.00 | 3.00 | 100 | 400 | 4.00 |" in text
    assert text.endswith("Geometric means of the last column: 4.00 with 1 thread(s).")
