"""Which runs are wanted, when, and which folders are refused."""

import json

import pytest
from ruamel.yaml import YAML
from runs_by_hand import rows

from tq_halp import InputError, config as configs

FREE = "--allow-unequal-tries"
GRID = (
    *("--algorithms", "halp,sgd", "--seeds", "0,1", "--tune-seeds", "0"),
    *("--tune", "sgd.optimizer.learning_rate=1,2,4", FREE),
)


def names(runs):
    return [run.name for run in runs]


def test_seeds_in_turn_and_more_once_a_grid_is_over(comparison, leave):
    made = comparison(*GRID)
    halp, sgd = made.candidates
    grid = [f"sgd-seed0-learning_rate={rate}" for rate in (1, 2, 4)]
    assert names(made.wanted(lambda run: False)) == [*grid, "halp-seed0", "halp-seed1"]
    for run, loss in zip(made.grid(sgd), (3.0, 2.0, 5.0), strict=True):
        leave(run, rows([9.0, loss]))
    over = names(made.wanted(lambda run: run.outcome().is_final))
    assert over == [*grid, "halp-seed0", "halp-seed1", "sgd-seed1-learning_rate=2"]
    assert names(made.chosen(sgd)) == ["sgd-seed0-learning_rate=2", "sgd-seed1-learning_rate=2"]


def test_what_chooses(comparison, leave):
    final, best = comparison(*GRID), comparison(*GRID, "--tune-by", "best")
    losses = [[9.0, 1.0, 4.0], [9.0, 3.0, 2.0], [9.0, 0.5, "nan"]]
    statuses = ["finished", "finished", "failed"]
    for run, loss, status in zip(final.grid(final.candidates[1]), losses, statuses, strict=True):
        leave(run, rows(loss), status)
    assert final.choice(final.candidates[1]) == (("optimizer.learning_rate", 2),)
    assert best.choice(best.candidates[1]) == (("optimizer.learning_rate", 1),)


def test_a_grid_that_failed_as_a_whole_asks_for_no_more(comparison, leave):
    made = comparison(*GRID)
    for run in made.grid(made.candidates[1]):
        leave(run, rows([9.0]), "failed")
    assert made.choice(made.candidates[1]) is None
    assert not any("seed1-" in name for name in names(made.wanted(lambda run: True)))


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        ([], {1000}),
        (["--seeds", "1000,1001,3"], {1002}),  # none that is compared
        (["--tune-seeds", "7"], {7}),
        (["--tune-seeds", "0,1"], {0, 1}),
    ],
)
def test_a_grid_has_seeds_of_its_own(comparison, arguments, seeds):
    made = comparison(
        "--algorithms", "halp,sgd", "--tune", "optimizer.learning_rate=1,2", *arguments
    )
    assert {run.seed for candidate in made.candidates for run in made.grid(candidate)} == seeds


def test_everybody_has_as_many_tries(comparison):
    two, three = (f"optimizer.learning_rate={values}" for values in ("1,2", "1,2,4"))
    six = ["--tune", f"halp.{two}", "--tune", "halp.mu=1,3,9", "--tune", f"sgd.{three}"]
    for grids, tries in ([six, "halp 6, sgd 3"], [["--tune", f"sgd.{three}"], "halp 1, sgd 3"]):
        with pytest.raises(InputError, match=f"different numbers of tries: {tries}; give all as m"):
            comparison("--algorithms", "halp,sgd", *grids)
        made = comparison("--algorithms", "halp,sgd", *grids, FREE)
        assert ", ".join(f"{e.label} {e.tries}" for e in made.candidates) == tries
    # One of halp's values more is one of sgd's.
    three_each = ["--tune", "halp.mu=1,3,9", "--tune", f"sgd.{three}"]
    assert [e.tries for e in comparison("--algorithms", "halp,sgd", *three_each).candidates] == [
        3,
        3,
    ]


def test_a_grid_of_several_seeds_is_decided_by_the_mean(comparison, leave):
    """1 is the best with seed 0 and 4 with seed 1; 4 fails with one of them."""
    made = comparison(*GRID, "--tune-seeds", "0,1")
    halp, sgd = made.candidates
    losses = {1: (1.0, 9.0), 2: (3.0, 3.0), 4: (2.0, 2.0)}
    for tuned, runs in made.tries(sgd).items():
        for run, loss in zip(runs, losses[dict(tuned)["optimizer.learning_rate"]], strict=True):
            failed = tuned[0][1] == 4 and run.seed == 1
            leave(run, rows([9.0, loss]), "failed" if failed else "finished")
    assert made.choice(sgd) == (("optimizer.learning_rate", 2),)
    assert [made.score(runs) and made.score(runs).value for runs in made.tries(sgd).values()] == [
        *(5.0, 3.0, None)
    ]
    wanted = names(made.wanted(lambda run: run.outcome().is_final))
    assert len(wanted) == 6 + 2 and names(made.chosen(sgd))[0] in wanted


@pytest.mark.parametrize("option", ["--seeds", "--tune-seeds"])
def test_seeds_are_different_whole_numbers(comparison, option):
    with pytest.raises(InputError, match=f"{option} 0,x: expected whole numbers, e.g. 0,1,2"):
        comparison(*GRID, option, "0,x")
    with pytest.raises(InputError, match=f"{option} 1,1: expected different seeds"):
        comparison(*GRID, option, "1,1")


def test_keys_of_one_name_are_told_apart(comparison):
    made = comparison("--algorithms", "sgd", "--tune", "data.seed=0,1", "--tune", "model.seed=0,1")
    assert made.grid(made.candidates[0])[1].name == "sgd-seed1000-data.seed=0-model.seed=1"


def test_how_runs_ended(comparison, leave):
    first, second, third, fourth = comparison("--algorithms", "sgd", "--seeds", "0,1,2,3").chosen(
        comparison("--algorithms", "sgd").candidates[0]
    )
    leave(first, rows([9.0, 8.0]), "failed", error="the training loss became inf")
    leave(second, rows([9.0, 8.0]), "failed", error="No space left", traceback="...")
    leave(third, rows([9.0, 8.0]), "running")
    states = [(r.outcome().status, r.outcome().is_final) for r in (first, second, third, fourth)]
    assert states == [
        ("diverged", True),
        ("failed", False),
        ("unfinished", False),
        ("missing", False),
    ]


def test_other_labels_and_seeds_are_welcome(comparison, leave):
    made = comparison("--algorithms", "halp", "--seeds", "0")
    made.folder.mkdir()
    made.write_common()
    leave(made.chosen(made.candidates[0])[0], rows([9.0, 1.0]))
    comparison("--algorithms", "halp,sgd", "--seeds", "0,1", "--set", "sgd.train.epochs=9").check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "train.epochs=4"], "holds a comparison .*: train.epochs 3, here 4; name anoth"),
        (["--set", "halp.mu=5"], "halp-seed0 was made with other settings: algorithm.mu 3.0, here"),
        (["--set", "halp.mu=x"], "halp: --set algorithm.mu: received 'x'"),
        (["--tune", "train.epochs=0,1"], "halp: --set train.epochs: received 0"),
    ],
)
def test_other_settings_are_refused(comparison, leave, arguments, message):
    made = comparison("--algorithms", "halp", "--seeds", "0")
    made.folder.mkdir()
    made.write_common()
    leave(made.chosen(made.candidates[0])[0], rows([9.0, 1.0]))
    with pytest.raises(InputError, match=message):
        comparison("--algorithms", "halp", "--seeds", "0", *arguments).check()


def test_how_often_a_checkpoint_is_written_is_no_setting(comparison, leave):
    made = comparison("--algorithms", "halp", "--seeds", "0")
    made.folder.mkdir()
    made.write_common()
    leave(made.chosen(made.candidates[0])[0], rows([9.0, 1.0]))
    here = ["--set", "train.checkpoint_every_steps=5"]
    comparison("--algorithms", "halp", "--seeds", "0", *here).check()


def test_a_folder_of_something_else_is_refused(comparison, tmp_path):
    made = comparison()
    made.folder.write_text("")
    with pytest.raises(InputError, match="is a file"):
        made.check()
    made.folder.unlink()
    made.folder.mkdir()
    made.check()
    (made.folder / "mine.txt").write_text("")
    with pytest.raises(InputError, match="is not empty and holds no comparison"):
        made.check()


def test_what_a_killed_command_leaves_is_nothing_of_somebody_else(comparison):
    """Before it had written what the runs have in common."""
    made = comparison("--algorithms", "halp", "--seeds", "0")
    made.folder.mkdir()
    for name in ("lock", ".writing-compare.yaml"):
        (made.folder / name).write_text("")
    made.check()


# ---- keys that do something for some -------------------------------------------------------------


def test_keys_of_the_config_do_something_for_somebody(comparison_in, tmp_path):
    """For one of the algorithms compared, or for that of the config, as in the train command."""
    from tq_halp.commands.compare import command

    path = tmp_path / "mine.yaml"

    def compared(algorithm, names, *more):
        path.write_text(
            "data: {name: linear_regression}\nmodel: {name: linear, dtype: float64}\n"
            f"algorithm: {algorithm}\n"
            "optimizer: {learning_rate: 0.1}\ntrain: {epochs: 3, batch_size: 10}\n"
        )
        fixed = ["--config", str(path), "--run-dir", str(tmp_path / "out"), "--algorithms", names]
        made = command.comparison_of(command.parser().parse_args([*fixed, *more]))
        made.check()
        return made, [made.chosen(e)[0].config().used("algorithm") for e in made.candidates]

    made, (halp, lp, sgd) = compared("{name: sgd, mu: 3.0, frac_bits: 5}", "halp,lp_sgd,sgd")
    assert (halp["mu"], lp["frac_bits"], sgd) == (3.0, 5, {})
    common = made.common_yaml()
    assert "mu: 3.0" in common and "frac_bits: 5" in common and "average_after" not in common
    sets = ["--set", "algorithm.word_bits=4", "--set", "b.format=mxfp8"]
    made, (a, b) = compared("{name: halp}", "a=halp,b=halp", *sets)
    assert (a["word_bits"], "word_bits" in b) == (4, False) and "word_bits: 4" in made.common_yaml()
    _, (svrg, sgd) = compared("{name: halp, mu: 3.0}", "svrg,sgd")
    assert "mu" not in svrg and sgd == {}
    for algorithm, names, more, said in [
        ("{name: sgd, mu: 3.0}", "svrg,sgd", [], "mine.yaml:3: algorithm.mu: received 3.0, which"),
        ("{name: halp}", "halp,sgd", ["--set", "sgd.mu=3"], "sgd: --set algorithm.mu: received 3"),
        ("{name: halp}", "halp,sgd", ["--tune", "sgd.mu=3,4", FREE], "sgd: --set algorithm.mu: "),
        ("{name: halp}", "svrg,sgd", ["--set", "algorithm.mu=3"], "algorithm.mu: set for all"),
    ]:
        with pytest.raises(InputError, match=said):
            compared(algorithm, names, *more)


def test_a_comparison_of_a_former_version_goes_on(comparison, leave):
    """Its files hold the keys of all algorithms."""
    made = comparison("--algorithms", "sgd,halp", "--seeds", "0")
    made.folder.mkdir()
    made.write_common()
    idle = {"word_bits": 8, "mu": "auto", "average_after": 0}
    for run in (candidate_runs[0] for candidate_runs in map(made.chosen, made.candidates)):
        leave(run, rows([9.0, 1.0]))
    written = [
        made.folder / "compare.yaml",
        made.chosen(made.candidates[0])[0].path / "config.yaml",
    ]
    for path, first_line in zip(
        written, (configs.WRITTEN_BY_COMPARISON, configs.WRITTEN_BY_RUN), strict=True
    ):
        values = YAML(typ="safe", pure=True).load(path.read_text())
        values["algorithm"] = {"name": "sgd", **idle}
        values["model"] |= {"blocks": [1, 1, 1], "file": None}
        values["data"] |= {"dir": None, "task": "classification"}
        path.write_text(first_line + json.dumps(values))
    made.check()
    with pytest.raises(InputError, match="holds a comparison with other settings: train.epochs 3"):
        comparison("--algorithms", "sgd,halp", "--seeds", "0", "--set", "train.epochs=4").check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0,x"], "--seeds 0,x: expected whole numbers"),
        (["--seeds", "0,1,0"], "--seeds 0,1,0: expected different seeds"),
        (["--baseline", "adam"], "--baseline adam: no such label; known: halp, lp_sgd, svrg, sgd"),
        (["--set", "train.epochs=0"], "--set train.epochs: received 0"),
    ],
)
def test_wrong_options(comparison, arguments, message):
    with pytest.raises(InputError, match=message):
        comparison(*arguments)
