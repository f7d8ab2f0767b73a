"""The experiments that are comparisons: what they ask for, and what they keep."""

import csv
import importlib
import itertools
import re
import runpy
import sys

import numpy as np
import pytest
from runs_by_hand import rows

from experiments import baselines, bits_figure, comparison_experiment, missing_runs
from experiments.kill_and_resume import runs
from experiments.mnist_logistic.run import objective_and_gradient
from tests import runs_here
from tq_halp.commands.compare import command, figures, summary_tables
from tq_halp.commands.compare.candidates import parse
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.statistics import compare
from tq_halp.config import load

NAMES = ("mnist_logistic", "tiny_shakespeare", "ptb", "cifar10", "quantized_halp")
#: Examples of a whole set, where a config has no limit: images, or tokens.
WHOLE = {"mnist": 55_000, "cifar10": 45_000, "ptb": 929_589}
SGD, HALP = [9.0, 4.0, 3.0, 2.0], [9.0, 5.0, 2.5, 1.0]


def experiment(name):
    return importlib.import_module(f"experiments.{name}.run").EXPERIMENT


def comparison_of(name, size, folder):
    arguments = experiment(name).arguments(size, folder)
    return command.comparison_of(command.parser().parse_args(arguments))


def choices(candidate):
    """Every setting of a candidate's grid; one, of no settings, where nothing is tuned."""
    keys = [key for key, _ in candidate.grid]
    values = itertools.product(*(values for _, values in candidate.grid))
    return [list(zip(keys, each, strict=True)) for each in values]


def span(algorithm):
    """s of a fixed grid from −s to s."""
    return 2.0 ** (algorithm.word_bits - 1 - algorithm.frac_bits)


@pytest.mark.parametrize("name", NAMES)
def test_every_run_of_every_size_can_be(name, tmp_path):
    for size in ("small", "quick", "full"):
        made = comparison_of(name, size, tmp_path / "out")
        made.check()
        assert made.seeds == ((0,) if size == "quick" else (0, 1, 2, 3, 4))
        assert made.tune_seeds == (1000,)
        for candidate in made.candidates:
            assert bool(candidate.grid) == (size != "quick")
            for tuned in choices(candidate):
                algorithm = load(made.config_path, candidate.overrides(tuned)).algorithm
                if candidate.algorithm in ("lp_sgd", "lp_svrg"):
                    assert span(algorithm) in (2, 1, 0.5)
                if candidate.algorithm not in ("sgd", "svrg"):
                    label = candidate.label.removesuffix("-quantized")
                    assert label.endswith(str(algorithm.word_bits))
    labels = {candidate.label for candidate in made.candidates}
    assert all(label in labels for pair in experiment(name).baselines for label in pair)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", ["small", "quick", "full"])
def test_the_schedule_ends_with_the_training(name, size, tmp_path):
    made = comparison_of(name, size, tmp_path / "out")
    (candidate, *others) = (e for e in made.candidates if e.label.startswith("momentum"))
    config = load(made.config_path, candidate.overrides())
    for other in others:
        assert load(made.config_path, other.overrides()).optimizer == config.optimizer
    examples = config.data.limit or WHOLE[config.data.name]
    if config.model.name == "lstm_language_model":
        examples = (examples - 1) // config.data.sequence_length
    steps = -(-examples // config.train.batch_size) * config.train.epochs
    assert config.optimizer.learning_rate.config["decay_steps"] == steps


def test_the_runs_that_are_killed_can_be(tmp_path):
    for path in runs.configs(tmp_path).values():
        load(path)


MARKS = ("results", "baselines", "pairs", "time", "curves", "bits")
PAGE = "".join(f"<!-- {mark} -->\nold\n<!-- /{mark} -->\n" for mark in MARKS)


def test_what_is_kept(comparison, leave, tmp_path):
    """HALP takes three passes an epoch, so at equal cost its first epoch meets SGD's third."""
    made = comparison("--algorithms", "halp8=halp,lp8=lp_sgd,svrg,lp4=lp_sgd", "--seeds", "0,1,2")
    made.folder.mkdir()
    made.write_common()
    halp, lp_sgd, svrg, broken = made.candidates
    for seed in (0, 1, 2):
        halp_run, lp_run, svrg_run, broken_run = (made.chosen(e)[seed] for e in made.candidates)
        leave(halp_run, rows([x + seed for x in HALP], passes=3.0))
        leave(lp_run, rows([x + 2 * seed for x in SGD]))
        leave(svrg_run, rows(HALP, passes=3.0))
        leave(broken_run, rows([9.0, np.nan]), status="failed", error="the loss became nan")
    results = Results(made)
    results.write_csv()
    summary_tables.document(results, "python").write_markdown(made.folder / "summary.md")
    figures.write(results, made.folder / "curves.png")
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "README.md").write_text(PAGE)
    sizes = {"small": (), "quick": (), "full": ()}
    kept = comparison_experiment.Experiment(
        "any.yaml",
        parse("halp8=halp,lp8=lp_sgd", [], []),
        sizes,
        baselines=[("halp8", "lp8"), ("halp8", "svrg")],
        has_figure_of_bits=True,
    )
    found = baselines.compare(results, kept.baselines)
    comparison_experiment.keep(results, kept, found, folder)
    page = (folder / "README.md").read_text()
    assert "old" not in page
    # At equal epochs 1 + seed − (2 + 2 seed), at equal cost 5 + seed − (2 + 2 seed).
    number = r"([+-][\d.]+) ± ([\d.]+)"
    found = re.findall(rf"halp8 against (\w+) \| validation loss \| (\w+), 3 \| {number}", page)
    assert [(label, what, float(d)) for label, what, d, _ in found] == [
        ("lp8", "epochs", -2.0),
        ("lp8", "cost", 2.0),
        ("svrg", "epochs", 1.0),
        ("svrg", "cost", 1.0),
    ]
    assert all(float(error) == pytest.approx(1 / np.sqrt(3), abs=0.01) for *_, error in found)
    kept = baselines.read(folder)
    assert {r.metric for r in kept} == {"training loss", "validation loss"}
    kept = [r for r in kept if r.metric == "validation loss"]
    kept = [(r.theirs, r.at, r.seeds, r.verdict) for r in kept]
    assert kept == [  # With t = 2 √3 and √3 and two degrees of freedom p is .07 and .23.
        ("lp8", "epochs", "3 / 0 / 0", "ties"),
        ("lp8", "cost", "0 / 0 / 3", "ties"),
        ("svrg", "epochs", "0 / 1 / 2", "ties"),
        ("svrg", "cost", "0 / 1 / 2", "ties"),
    ]
    assert "lp4-seed2 | diverged | the loss became nan" in page
    assert "0 minutes of training in all, a thread for each run" in page
    with open(folder / "results.csv", newline="") as file:
        (first, *_, last) = csv.DictReader(file)
    assert (first["label"], first["val_loss"], last["label"]) == ("halp8", "9.0", "lp4")
    for name in ("curves.png", "bits.png"):
        assert (folder / name).read_bytes()[1:4] == b"PNG"


def test_figure_of_bits_takes_labels_apart(comparison, leave):
    made = comparison("--algorithms", "halp8=halp,halp4=halp,sgd", "--seeds", "0")
    for candidate, loss in zip(made.candidates, (1.0, 2.0, 3.0), strict=True):
        leave(made.chosen(candidate)[0], rows([9.0, loss]))
    results = Results(made)
    lines, levels = bits_figure.by_bits(results, results.metrics[-1])
    assert [(n, mean.value) for n, mean in lines["halp"]] == [(4, 2.0), (8, 1.0)]
    assert set(lines) == {"halp"} and levels["sgd"].value == 3.0 and set(levels) == {"sgd"}


def test_gradient_of_softmax_regression():
    """Against differences; at zero weights every class is as likely as another."""
    draw = np.random.default_rng(0)
    x, y, decay = draw.normal(size=(20, 4)), draw.integers(0, 3, 20), 0.3
    assert objective_and_gradient(x, y, [np.zeros((4, 3)), np.zeros(3)], decay)[0] == pytest.approx(
        np.log(3)
    )
    weights = draw.normal(size=15)

    def at(w):
        return objective_and_gradient(x, y, [w[:12].reshape(4, 3), w[12:]], decay)

    step = 1e-6
    steps = step * np.eye(15)
    slopes = [(at(weights + s)[0] - at(weights - s)[0]) / (2 * step) for s in steps]
    # Differences err by step²·f‴ and by 1e-16 / step.
    assert at(weights)[1] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")
@pytest.mark.filterwarnings("default")
def test_quick_softmax_regression(tmp_path, monkeypatch, capsys):
    """The script itself, on arrays in place of MNIST, and without its ten processes."""
    draw = np.random.default_rng(0)
    kinds, arrays = draw.integers(0, 200, (10, 6, 6)), {}
    for part, count in (("train", 300), ("validation", 60), ("test", 60)):
        y = np.arange(count) % 10
        arrays |= {f"x_{part}": (kinds[y] + draw.integers(0, 56, (count, 6, 6))).astype(np.uint8)}
        arrays |= {f"y_{part}": y}
    np.savez(tmp_path / "images.npz", **arrays)
    name = "experiments.mnist_logistic.run"
    line = [name, "--quick", "--runs", tmp_path / "out", "--", "--set", "data.name=arrays"]
    line += ["--set", f"data.file={tmp_path / 'images.npz'}"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in line])
    for variable in comparison_experiment.ONE_THREAD:
        monkeypatch.setenv(variable, "1")  # as the script does, for the whole process
    runs_here.patch(monkeypatch)
    runpy.run_module(name, run_name="__main__")  # as python -m does
    said = capsys.readouterr().out
    with open(tmp_path / "out" / "compare.csv", newline="") as file:
        last = {row["label"]: row for row in csv.DictReader(file)}
    assert len(last) == 9 and {row["status"] for row in last.values()} == {"finished"}
    assert float(last["sgd"]["gradient_evaluations"]) == pytest.approx(2)
    assert float(last["halp8"]["gradient_evaluations"]) == pytest.approx(6)
    # The last table of what is printed holds objectives over the training examples.
    table = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| 1 of 1 \|$", said, re.M)
    objectives = {label: float(value) for label, value, _ in table}
    assert set(objectives) == set(last) and max(objectives.values()) < np.log(10)
    # 16 bits round by 1e-4 at most: they train as float32 does.
    for fine, exact in (("lp16", "sgd"), ("lpsvrg16", "svrg"), ("halp16", "svrg")):
        assert objectives[fine] == pytest.approx(objectives[exact], rel=5e-3)


def test_what_a_file_holds_is_not_run_again(tmp_path):
    path, made = tmp_path / "new" / "results.csv", []

    def lines_of(run):
        made.append(run)
        return [[run, look, run * look] for look in (1, 2)]

    def command(planned, **options):
        done = {int(line["run"]) for line in missing_runs.read(path)}
        missing = [run for run in planned if run not in done]
        missing_runs.run_missing(path, ("run", "look", "value"), missing, lines_of, "", **options)

    command([5])
    command([5, 7])
    command([5, 7, 8], minutes=0)
    assert made == [5, 7]
    assert path.read_text() == "run,look,value\n5,1,5\n5,2,10\n7,1,7\n7,2,14\n"


def test_who_wins():
    won, doubtful = [(1.0, 2.0), (1.1, 2.2), (1.2, 2.1)], [(1.0, 2.0), (1.1, 1.2), (1.2, 1.4)]
    loser_failed, one_pair = [(1.0, None), (1.1, None)], [(1.0, 2.0)]
    verdicts = [
        baselines.verdict(compare(pairs)) for pairs in (won, doubtful, loser_failed, one_pair)
    ]
    assert verdicts == ["wins", "ties", "wins", "ties"]
    turned = [(theirs, ours) for ours, theirs in won]
    assert baselines.verdict(compare(turned)) == "loses"
    assert baselines.verdict(compare(turned, higher_is_better=True)) == "wins"


def test_first_screen_has_a_row_for_each_number_of_bits():

    def pair(ours, theirs, metric, at):
        return baselines.BaselineComparison(
            ours, theirs, metric, at, "9", "-1", "0.01", "3", "0", "0", "wins"
        )

    found = [
        pair(*labels, metric, at)
        for labels in (("halp8", "lp8"), ("halp8", "svrg"), ("halp4", "lp4"))
        for metric in ("training loss", "validation loss", "validation accuracy")
        for at in ("epochs", "cost")
    ]
    head, line, *body, total = baselines.front_table({"cifar10": found, "ptb": []}).splitlines()
    assert [row.split(" | ")[1:3] for row in body] == [
        ["8", "accuracy"],
        ["4", "accuracy"],
    ]
    assert "experiments/cifar10/README.md" in body[0] and "**wins** 3 / 0 / 0: -1" in body[0]
    assert total == "| | | | " + " | ".join(["**2 wins, 0 ties, 0 losses**"] * 3) + " |"
