"""The experiment at equal numbers of gradients: its rows, what is missing, and its tables."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from runs_by_hand import rows as metrics

from experiments.equal_price import figures, result_rows, run, tables, worker
from experiments.equal_price.measured_run import MeasuredRun
from experiments.equal_price.pairs import LP_SGD, SGD, against, lp_rival
from experiments.equal_price.result_rows import COMPARE, TUNE, ResultRows, Row
from experiments.equal_price.standing import Standing, text_of
from experiments.equal_price.tasks import TASKS, TUNE_SEED, Task
from experiments.mnist_logistic.run import objective_and_gradient
from tq_halp import InputError
from tq_halp.commands.compare import process_pool
from tq_halp.commands.compare.bought_epochs import Bought
from tq_halp.commands.compare.budget_plan import Length
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.config import load

TUNED = ("optimizer.learning_rate", (0.1, 0.2))
SGD_C = Candidate("sgd", "sgd", (), (TUNED,))
LP8 = Candidate("lp8", "lp_sgd", ("algorithm.word_bits=8",), (TUNED,))
HALP8 = Candidate("halp8", "halp", ("algorithm.word_bits=8",), (TUNED,))
SWALP8 = Candidate("swalp8", "swalp", ("algorithm.word_bits=8",))
TIERS = [(8, [SGD_C, LP8]), (8, [HALP8, SWALP8])]
LOSS = {"sgd": [1.0, 1.25, 1.5], "lp8": [2.0, 2.25, 2.75], "halp8": [1.5, 1.75, 1.0]}


def row(label, stage, tuned, seed, loss):
    """Without a loss it diverged."""
    status = "diverged" if loss is None else "finished"
    columns = dict.fromkeys(result_rows.COLUMNS, "")
    numbers = {} if loss is None else {"train_loss": f"{loss}", "val_loss": f"{loss}"}
    numbers |= {} if loss is None else {"val_metric": f"{1 - loss / 10}"}
    about = {"label": label, "stage": stage, "tuned": tuned, "seed": f"{seed}", "status": status}
    found = next(c for _, tier in TIERS for c in tier if c.label == label)
    of = {"algorithm": found.algorithm, "settings": "; ".join(found.settings), "seconds": "60"}
    return Row(**{**columns, **numbers, **about, **of})


def tries(label, losses=(0.5, 0.4)):
    return [
        row(label, TUNE, f"learning_rate={value}", TUNE_SEED, loss)
        for value, loss in zip((0.1, 0.2), losses, strict=True)
    ]


def compared(label, losses):
    return [row(label, COMPARE, "learning_rate=0.2", seed, x) for seed, x in enumerate(losses)]


@pytest.fixture
def standing(config, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Made(Task):
        config_path: str = str(config)

    task = Made("mine", "a task", "mine.yaml", "accuracy", (), 12, 6, seeds=(0, 1, 2))
    return Standing(task, "plain", TIERS, ResultRows(tmp_path / "rows.csv"))


def add(standing, *lists):
    for each in (row for rows in lists for row in rows):
        standing.rows.add(each)


class Plan:
    """12 epochs of 20 steps; a tuning run has half of them."""

    lengths = dict.fromkeys(
        [(c.label, tuned) for _, tier in TIERS for c in tier for tuned in c.choices()],
        Length(20, Bought(12, 12.0), Bought(6, 6.0)),
    )

    def epochs(self, label, tuned, is_tuning):
        return 6 if is_tuning else 12


def test_rows_are_sorted_whole_and_never_twice(tmp_path, monkeypatch):
    path = tmp_path / "new" / "rows.csv"
    made = ResultRows(path)
    written = [*compared("sgd", [1.0] * 11), *tries("lp8")]
    for each in reversed(written):
        made.add(each)
    before = path.read_bytes()
    assert list(ResultRows(path)) == sorted(written, key=lambda r: r.key)
    assert [r.seed for r in made][-11:] == [f"{seed}" for seed in range(11)]  # 10 after 9
    with pytest.raises(InputError, match="has a row of"):
        made.add(written[0])
    # Killed while it writes: neither the old rows nor their order is lost.
    monkeypatch.setattr(result_rows, "astuple", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.add(row("sgd", COMPARE, "learning_rate=0.2", 11, 1.0))
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["rows.csv"]
    head, first, *rest = before.decode().splitlines(keepends=True)
    path.write_text("".join([head, first, first, *rest]))
    with pytest.raises(InputError, match=r"rows.csv:3: the run of an earlier row"):
        ResultRows(path)
    path.write_text("label,seed\n")
    with pytest.raises(InputError, match="expected the columns label, algorithm"):
        ResultRows(path)


def test_what_is_missing_in_the_order_of_importance(standing, tmp_path):
    work = run.Work(standing, Plan(), tmp_path)
    names = [(r.name, r.epochs) for r in work.wanted(None)]
    rates = [f"seed1000-learning_rate={value}" for value in (0.1, 0.2)]
    assert names[:4] == [(f"{label}-{rate}", 6) for label in ("sgd", "lp8") for rate in rates]
    # SWALP, which has nothing to tune, is the only one whose compared runs are known.
    assert names[4:6] == [(f"halp8-{rate}", 6) for rate in rates]
    assert names[6:] == [(f"swalp8-seed{seed}", 12) for seed in (0, 1, 2)]
    assert work.wanted(None)[6].candidate.settings[-1] == "algorithm.average_after=180"
    add(standing, tries("sgd"), tries("lp8", (0.4, 0.4)), compared("sgd", [1.0]))
    names = [r.name for r in work.wanted(None)]
    # The lower loss was chosen; of equal ones the first; and the row of seed 0 is there.
    assert names[:5] == [
        *("lp8-seed0-learning_rate=0.1", "sgd-seed1-learning_rate=0.2"),
        *("lp8-seed1-learning_rate=0.1", "sgd-seed2-learning_rate=0.2"),
        "lp8-seed2-learning_rate=0.1",
    ]
    add(standing, tries("halp8", (None, None)))
    assert not [r for r in work.wanted(None) if r.label == "halp8"]
    assert standing.counts(HALP8) == "all tries diverged" and standing.total() == 3 * 2 + 4 * 3


def test_a_run_with_a_row_is_not_run(standing, tmp_path, monkeypatch):
    add(standing, tries("sgd"), tries("lp8"), tries("halp8"))
    add(standing, *(compared(label, losses) for label, losses in LOSS.items()))
    tiers = [(8, [SGD_C, LP8, HALP8])]
    work = run.Work(replace(standing, tiers=tiers), Plan(), tmp_path)
    monkeypatch.setattr(process_pool, "_start", lambda *_: 1 / 0)
    process_pool.carry_out(work, 2, run.Stop(None, -1.0), 0, work, run.WORKER)
    work.check()
    other = replace(LP8, settings=("algorithm.word_bits=7",))
    work = run.Work(replace(standing, tiers=[(8, [SGD_C, other])]), Plan(), tmp_path)
    with pytest.raises(InputError, match="row of lp8, seed 0, was made with other settings"):
        work.check()


def test_rows_of_runs_that_an_earlier_command_left(standing, tmp_path, leave):
    """A finished run without the loss on the training examples goes on; a diverged one is over."""
    work = run.Work(standing, Plan(), tmp_path)
    first, second, third, *_ = work.wanted(None)
    about = {"quant_ops_backend": "native", "test": {"loss": 3.0, "accuracy": 0.25}}
    leave(first, metrics([9.0, 2.0], val_accuracy=[0.1, 0.5]), **about)
    leave(second, metrics([9.0]), status="failed", error="the training loss became nan", **about)
    leave(third, metrics([9.0, 2.0]), **about)
    (first.path / worker.FILE).write_text(json.dumps({"loss": 1.75}))
    work.collect()
    found = {(r.label, r.tuned): r for r in standing.rows}
    assert set(found) == {("sgd", "learning_rate=0.1"), ("sgd", "learning_rate=0.2")}
    one, other = found.values()
    assert (one.train_loss, one.val_loss, one.val_metric) == ("1.75", "2", "0.5")
    assert (one.test_metric, one.passes, one.epochs, one.status) == ("0.25", "1", "6", "finished")
    assert (other.status, other.number("val_loss")) == ("diverged", None)
    assert third.outcome().status == "unfinished" and isinstance(third, MeasuredRun)
    assert not (first.path / "checkpoints").exists()
    wrong = {"dataset": {"name": "other", "requested": "mine", "fallback": True}}
    (third.path / worker.FILE).write_text(json.dumps({"loss": 1.0}))
    summary = json.loads((third.path / "summary.json").read_text()) | wrong
    (third.path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match="mine was not found"):
        work.collect()


def test_tables_have_the_statistics_of_the_rows(standing, tmp_path):
    add(standing, tries("sgd"), tries("lp8"), tries("halp8"), compared("sgd", LOSS["sgd"]))
    add(standing, compared("lp8", LOSS["lp8"]), compared("halp8", LOSS["halp8"][:2]))
    table = {line.split(" | ")[0]: line for line in tables.results(standing).splitlines()}
    # (1 + 1.25 + 1.5) / 3 with s = .25: error .25 / √3.
    assert "| sgd | 32 | 2 | rate 0.2 | 3 of 3 | 1.25 ± 0.14 | 0.875 ± 0.014 |" in table["| sgd"]
    assert "| halp8 | 8 | 2 | rate 0.2 | 2 of 3 | 1.62 ± 0.12 |" in table["| halp8"]
    assert "| swalp8 | 8 | 1 |  | 0 of 3 | - |" in table["| swalp8"]
    (pair,) = against(standing, LP_SGD, "train_loss")
    assert (pair.label, pair.rival) == ("halp8", "lp8")
    # Differences −.5 and −.5: no spread. The p of the only pair is not multiplied.
    assert pair.statistics.difference.value == -0.5 and pair.corrected == pair.statistics.p == 0
    assert (pair.statistics.wins, pair.statistics.losses, pair.verdict) == (2, 0, "wins")
    lp, halp = sorted(against(standing, SGD, "val_metric"), key=lambda p: p.label != "lp8")
    # −.1, −.1, −.125 of the accuracy: worse; t = −(.325 / 3) / (.0144338 / √3) = −13.
    assert lp.statistics.p == pytest.approx(0.005865, rel=1e-3) and lp.verdict == "loses"
    assert lp.corrected == pytest.approx(lp.statistics.p) and halp.corrected == pytest.approx(0)
    text = "\n".join(tables.pair_tables(standing))
    assert "| lp8 | sgd | training loss | +1.083 ± 0.083 | +0.72 to +1.44 |" in text
    assert "| halp8 | lp8 | training loss | -0.5 ± 0 |" in text and "| 2 of 3 | wins |" in text
    assert (
        "| mine, plain | LP-SGD with as many bits | training loss | halp8 |"
        in (said := tables.verdict([standing]))
        and "Not finished" in said
    )
    assert "| mine | plain | 14 of 18 | 0.2 | 0.1 |" in tables.progress([standing])
    drawn = dict(figures.lines(standing, "train_loss"))
    assert [(bits, mean.value) for bits, mean in drawn["halp", ""]] == [(8, 1.625)]
    assert figures.of_task([standing], tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_the_command_trains_what_is_missing(tmp_path, monkeypatch):
    """In processes, on arrays; the second command finds all rows, and starts nothing."""
    draw, arrays = np.random.default_rng(0), {}
    for part in ("train", "validation", "test"):
        arrays[f"x_{part}"] = x = draw.normal(size=(60, 4)).astype("float32")
        arrays[f"y_{part}"] = (x[:, 0] > 0).astype(int)
    np.savez(tmp_path / "arrays.npz", **arrays)
    (tmp_path / "mine.yaml").write_text(
        f"data: {{name: arrays, file: '{tmp_path / 'arrays.npz'}'}}\n"
        "model: {name: linear_classifier, weight_decay: 0.01}\nalgorithm: {name: sgd}\n"
        "optimizer: {learning_rate: 1.0}\ntrain: {batch_size: 10, epochs: 1}\n"
    )
    halp = Candidate("halp8", "halp", ("algorithm.word_bits=8",))
    diverges = Candidate("sgd", "sgd", ("optimizer.learning_rate=1e30",))

    @dataclasses.dataclass(frozen=True)
    class Made(Task):
        config_path: str = str(tmp_path / "mine.yaml")
        kinds: tuple = ("plain",)

        def tiers(self, setting):
            return [(8, [halp, diverges])]

    task = Made("mine", "a task", "mine.yaml", "accuracy", (), 7, 7, seeds=(0,))
    monkeypatch.setitem(run.TASKS, "mine", task)
    monkeypatch.setattr(run, "of_task", lambda *_: ResultRows(tmp_path / "rows.csv"))
    monkeypatch.setattr(tables, "write", lambda: None)
    arguments = ["mine", "--runs", str(tmp_path / "runs")]
    assert run.main(arguments) == 0
    first, second = ResultRows(tmp_path / "rows.csv")
    assert (first.label, first.epochs, float(first.passes)) == ("halp8", "2", 6.0)
    assert float(first.train_loss) < np.log(2) and float(first.test_metric) > 0.5
    assert (second.label, second.status) == ("sgd", "diverged")
    before = (tmp_path / "rows.csv").read_bytes()
    monkeypatch.setattr(process_pool, "_start", lambda *_: 1 / 0)
    assert run.main(arguments) == 0
    assert (tmp_path / "rows.csv").read_bytes() == before


@pytest.mark.parametrize("name", TASKS)
def test_all_candidates_can_be(name, tmp_path):
    """Each has as many tries, and its config loads; LP-SGD with as many bits stands beside it."""
    task = TASKS[name]
    for setting in task.kinds:
        standing = Standing(task, setting, task.tiers(setting), ResultRows(tmp_path / "none"))
        labels = [candidate.label for candidate in standing.candidates]
        assert len(set(labels)) == len(labels) and "sgd" in labels
        assert ("lp4+momentum" in labels) == (setting == "momentum")
        assert {c.tries for c in standing.candidates} == ({1} if name == "cifar10_small" else {4})
        for candidate in standing.candidates:
            config = load(task.config_path, candidate.overrides(candidate.choices()[-1]))
            assert getattr(config.optimizer, "momentum", 0) == (0.9 if setting == "momentum" else 0)
            if candidate.label.endswith("+4bits"):
                bits = config.algorithm.word_bits
                assert lp_rival(standing, candidate).label == f"lp{bits + 4}"
    with pytest.raises(InputError, match="--setting none"):
        task.tiers("none")


def test_loss_of_the_final_weights(tmp_path):
    """Against NumPy, on all training examples, with the penalty."""
    import keras

    from tq_halp import models

    draw = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "validation"):
        arrays[f"x_{part}"] = draw.normal(size=(30, 4)).astype("float32")
        arrays[f"y_{part}"] = draw.integers(0, 3, 30)
    np.savez(tmp_path / "data.npz", **arrays)
    model = models.linear_classifier((4,), 3, weight_decay=0.5)
    weights = [draw.normal(size=(4, 3)), draw.normal(size=3)]
    model.set_weights(weights)
    model.save(tmp_path / "model.keras")
    keras.backend.clear_session()
    (tmp_path / "config.yaml").write_text(
        f"data: {{name: arrays, file: '{tmp_path / 'data.npz'}'}}\n"
        "model: {name: linear_classifier, weight_decay: 0.5}\ntrain: {batch_size: 7, epochs: 1}\n"
        "algorithm: {name: sgd}\noptimizer: {learning_rate: 1}\n"
    )
    expected, _ = objective_and_gradient(arrays["x_train"], arrays["y_train"], weights, 0.5)
    assert worker.training_loss(tmp_path) == pytest.approx(expected, rel=1e-5)  # float32


def test_text_of_values():
    tuned = (("algorithm.mu", "auto"), ("optimizer.learning_rate.config.initial_learning_rate", 1))
    assert text_of(tuned) == "mu=auto, initial_learning_rate=1"


def test_labels_and_bits_that_a_task_has_not():
    tiers = TASKS["mnist"].tiers("plain")
    with pytest.raises(InputError, match=r"--bits must be of 8, 4, 3, 2. Received: 5"):
        run.of_bits(tiers, [8, 5])
    assert [bits for bits, _ in run.of_labels(run.of_bits(tiers, [4, 3]), ["lp4"])] == [4]
    with pytest.raises(InputError, match=r"--labels must be of sgd, .*Received: lp9"):
        run.of_labels(tiers, ["lp4", "lp9"])
