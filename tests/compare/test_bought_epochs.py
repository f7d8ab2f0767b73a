"""How many epochs a budget buys, by numbers worked out by hand, and the runs that follow."""

import pytest
from runs_by_hand import rows

from tq_halp import InputError
from tq_halp.commands.compare import bought_epochs, budget_plan, summary_tables
from tq_halp.commands.compare.bought_epochs import Bought, answer, bought
from tq_halp.commands.compare.results import Results
from tq_halp.commands.running.schedule_length import decay_steps
from tq_halp.config.value_types import MOST

BOTH = ("--algorithms", "halp,sgd", "--seeds", "0,1")
RATES = ("--tune", "optimizer.learning_rate=1,2")
COSINE = (
    "--set",
    "optimizer.learning_rate={class_name: CosineDecay, "
    "config: {initial_learning_rate: 0.1, decay_steps: all}}",
)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Asks this process, in which TensorFlow is; the labels that were asked for."""
    labels = []

    def ask_for(runs, budgets):
        labels.extend(label for label, *_ in runs)
        return answer(runs, budgets)

    monkeypatch.setattr(bought_epochs, "ask_for", ask_for)
    return labels


def test_the_most_epochs_are_found_whatever_the_cost():
    def broken(epochs):  # Nothing but the first epochs is cheap.
        return epochs if epochs < 6 else 3 * epochs

    for passes_of in (float, broken, lambda epochs: 0.1 * epochs, lambda epochs: epochs**1.5):
        for budget in (1, 1.5, 5, 17.9, 18, 30, 1000):
            found = bought(passes_of, budget)
            every = [e for e in range(1, 12_000) if passes_of(e) <= budget * (1 + 1e-9)]
            assert (found.epochs, found.passes) == (max(every), passes_of(max(every)))
    assert bought(lambda epochs: 0.1 * epochs, 0.3).epochs == 3  # though 0.1 * 3 > 0.3
    assert bought(lambda epochs: 1e-12 * epochs, 1.0).epochs == MOST
    too_dear = bought(lambda epochs: 3.0 * epochs, 2.99)
    assert too_dear == Bought(1, 3.0) and not too_dear.is_within(2.99)


def test_by_what_the_algorithms_say(config):
    """200 examples in batches of 10 are 20 steps an epoch."""
    sgd, halp, svrg, late = ["sgd"], ["halp"], ["svrg"], ["svrg", "algorithm.start_after=30"]
    few, often = (
        ["bc_sgd", "algorithm.mu=1", "algorithm.snapshot_fraction=0.1"],
        ["halp", "algorithm.snapshot_every=6"],
    )
    wide, table = ["sgd", "train.batch_size=64"], ["saga", "algorithm.table=step"]
    asked = [sgd, halp, svrg, late, few, often, wide, table]
    runs = [("x", str(config), [f"algorithm.name={name}", *sets]) for name, *sets in asked]
    found = answer(runs, (9.4, 10.0))
    assert [each["steps_per_epoch"] for each in found] == [20] * 6 + [4, 20]
    assert [each["bought"] for each in found] == [
        [[9, 9.0], [10, 10.0]],
        [[3, 9.0], [3, 9.0]],
        [[3, 9.0], [3, 9.0]],
        # 30 plain steps; then 10 of two gradients and one snapshot: 1, 3.5, 6.5, 9.5.
        [[3, 6.5], [4, 9.5]],
        # A snapshot of a tenth of the 20 batches is one in ten.
        [[8, pytest.approx(8.8)], [9, pytest.approx(9.9)]],
        # Snapshots before steps 0, 6, ...: 4 and 7 in one and two epochs: 2 + 4, 4 + 7.
        [[1, 6.0], [1, 6.0]],
        [[9, 9.0], [10, 10.0]],
        [[9, 9.0], [10, 10.0]],
    ]


def test_each_label_is_as_long_as_its_budget(comparison, asked):
    made = comparison(*BOTH, *COSINE, "--budget", "9.5")
    lengths = {}
    for candidate in made.candidates:
        config = made.chosen(candidate)[1].config()
        steps = 20 * config.train.epochs
        lengths[candidate.label] = config.train.epochs, *decay_steps(config, steps).values()
    assert lengths == {"halp": (3, 60), "sgd": (9, 180)}  # decay_steps to the step
    assert asked == ["halp", "sgd"]
    table = budget_plan.table(made.plan, made.candidates)
    assert table.head == (
        *("label", "steps per epoch", "epochs", "steps", "planned passes over the data"),
    )
    assert table.rows == [["halp", "20", "3", "60", "9"], ["sgd", "20", "9", "180", "9"]]


def test_tuning_runs_may_be_shorter(comparison):
    made = comparison(*BOTH, *RATES, "--budget", "9", "--tune-budget", "4")
    epochs = {run.name: run.config().train.epochs for e in made.candidates for run in made.grid(e)}
    assert epochs == {
        "halp-seed1000-learning_rate=1": 1,
        "halp-seed1000-learning_rate=2": 1,
        "sgd-seed1000-learning_rate=1": 4,
        "sgd-seed1000-learning_rate=2": 4,
    }
    table = budget_plan.table(made.plan, made.candidates)
    assert table.head[-2:] == ("epochs of a tuning run", "planned passes of it")
    assert table.rows == [
        ["halp", "20", "3", "60", "9", "1", "3"],
        ["sgd", "20", "9", "180", "9", "4", "4"],
    ]
    whole = comparison(*BOTH, *RATES, "--budget", "9")
    assert [run.config().train.epochs for run in whole.grid(whole.candidates[0])] == [3, 3]


def test_values_that_change_the_cost_change_the_length(comparison):
    made = comparison("--algorithms", "halp", "--tune", "halp.start_after=0,30", "--budget", "9")
    assert [run.config().train.epochs for run in made.grid(made.candidates[0])] == [3, 3]
    made = comparison("--algorithms", "halp", "--tune", "halp.start_after=0,60", "--budget", "9")
    # 60 steps of one gradient and a snapshot every 20, then 2 + 1: 2, 4, 6, 9.
    assert [run.config().train.epochs for run in made.grid(made.candidates[0])] == [3, 4]
    assert [row[:3] for row in budget_plan.table(made.plan, made.candidates).rows] == [
        ["halp: algorithm.start_after=0", "20", "3"],
        ["halp: algorithm.start_after=60", "20", "4"],
    ]


def test_what_is_known_is_not_asked_again(comparison, asked):
    budget = ("--budget", "9")
    made = comparison(*BOTH, *budget)
    made.folder.mkdir()
    made.write_common()
    assert asked == ["halp", "sgd"]
    again = comparison(*BOTH, *budget, *RATES)  # a rate changes no cost
    again.check()
    assert asked == ["halp", "sgd"]
    assert [run.epochs for run in again.grid(again.candidates[0])] == [3, 3]
    comparison("--algorithms", "halp,sgd,svrg", *budget, "--set", "halp.snapshot_every=5").check()
    assert asked == ["halp", "sgd", "halp", "svrg"]


def test_another_budget_is_another_comparison(comparison):
    made = comparison(*BOTH, "--budget", "9")
    made.folder.mkdir()
    made.write_common()
    for arguments, said in [
        ([], "holds a comparison with --budget 9, here without --budget; name another folder"),
        (["--budget", "12"], "holds a comparison with --budget 9, here with --budget 12;"),
        ([*RATES, "--budget", "9", "--tune-budget", "3"], "here with --budget 9 --tune-budget 3"),
    ]:
        with pytest.raises(InputError, match=said):
            comparison(*BOTH, *arguments).check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0"], "--budget 0: expected a finite number above 0"),
        (["--budget", "nan"], "--budget nan: expected a finite number above 0"),
        (["--budget", "inf"], "--budget inf: expected a finite number above 0"),
        (
            ["--budget", "2.5"],
            r"--budget 2.5: does not buy one epoch, which costs .*: halp 3; expected 3 or more",
        ),
        (
            ["--budget", "9", "--tune-budget", "2", *RATES],
            "--tune-budget 2: does not buy one epoch, .*: halp 3; expected 3 or more",
        ),
        (["--budget", "9", "--tune-budget", "9", *RATES], "expected less than --budget 9"),
        (["--budget", "9", "--tune-budget", "-1", *RATES], "--tune-budget -1: expected a finite"),
        (["--budget", "9", "--tune-budget", "4"], "--tune-budget 4: does nothing without --tune"),
        (["--tune-budget", "4", *RATES], "--tune-budget 4: does nothing without --budget"),
        (
            ["--budget", "9", "--tune-budget", "4", *RATES, "--tune-seeds", "1,7"],
            "a run of seed 1 would be both shorter, to tune, and as long as the others",
        ),
        (
            ["--budget", "9", "--set", "train.epochs=4"],
            "--set train.epochs: does nothing for halp beside --budget, which decides the epochs",
        ),
        (["--budget", "9", "--set", "sgd.train.epochs=4"], "--set train.epochs: .* for sgd beside"),
        (["--budget", "9", "--tune", "train.epochs=1,2"], "--tune train.epochs: does nothing for"),
        (
            ["--budget", "9", "--set", "sgd.optimizer.learning_rate=x"],
            "sgd: --set optimizer.learning_rate: received 'x'",
        ),
    ],
)
def test_what_is_refused(comparison, arguments, message):
    with pytest.raises(InputError, match=message):
        comparison(*BOTH, *arguments)


def test_each_run_counts_with_its_end(comparison, leave, tmp_path):
    """10 epochs of 1.1 passes are 11, of 12 that SGD takes: its end is compared, not its 11th."""
    made = comparison(
        *("--algorithms", "sgd,bc=bc_sgd", "--seeds", "0,1,2", "--budget", "12"),
        *("--set", "bc.mu=1", "--set", "bc.snapshot_fraction=0.1"),
    )
    made.folder.mkdir()
    made.write_common()
    sgd, bc = made.candidates
    for seed in (0, 1, 2):
        leave(made.chosen(sgd)[seed], rows([9.0] * 12 + [3.0 + seed]))
        # A run with snapshots at random may take more than was planned.
        passes = 1.1 if seed else 1.3
        leave(made.chosen(bc)[seed], rows([8.0] * 10 + [1.0 + 2 * seed], passes=passes))
    summary_tables.document(Results(made), "python").write_markdown(tmp_path / "summary.md")
    text = (tmp_path / "summary.md").read_text()
    assert "At equal epochs" not in text
    assert "At equal cost, the budget of 12 gradient evaluations" in text
    # 1, 3, 5 against 3, 4, 5.
    assert "| bc | validation loss | -1.00 ± 0.58 | -3.5 to +1.5 |" in text
    assert "| sgd | 20 | 12 | 240 | 12 |\n| bc | 20 | 10 | 200 | 11 |" in text
    assert "for as many whole epochs as 12 passes over the training data buy" in text
    assert "batch_size: 10" in text and "epochs: 3" not in text
