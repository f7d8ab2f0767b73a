"""What a comparison leaves behind, of runs written by hand."""

import csv
import json
import re

import pytest
from runs_by_hand import rows

from tests.html_page import Checker
from tq_halp.commands.compare import command, figures
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.statistics import Mean
from tq_halp.commands.compare.table_numbers import p_value, shown

ARGUMENTS = (
    *("--algorithms", "halp,wild=sgd,lp_sgd", "--seeds", "0,1,2", "--tune-seeds", "0"),
    *("--tune", "lp_sgd.optimizer.learning_rate=1,2", "--allow-unequal-tries"),
    *("--set", "wild.optimizer.learning_rate=50"),
)
VOID = {"meta", "img", "br"}


def halp_rows(seed):
    losses = [9.0, 4.0 + seed, 2.0 + seed, 1.0 + 0.5 * seed]
    more = {"full_gradient_norm": [""] + [8.0, 4.0, 2.0], "variance_ratio": [""] + [0.5, 0.2, 0.1]}
    accuracies = [0.1, 0.5, 0.8, 0.75]
    return rows(losses, passes=3.0, val_accuracy=accuracies, train_accuracy=accuracies, **more)


@pytest.fixture(scope="module")
def made(comparison_in, leave, tmp_path_factory):
    """Three seeds of HALP, a wild one that diverges in two of three, LP-SGD with a grid."""
    made = comparison_in(tmp_path_factory.mktemp("outputs") / "out", *ARGUMENTS)
    made.folder.mkdir()
    made.write_common()
    halp, wild, lp_sgd = made.candidates
    for run in made.chosen(halp):
        leave(run, halp_rows(run.seed))
    for run in made.chosen(wild):
        losses = [9.0, 1e30] if run.seed else [9.0, 8.0, 7.0, 6.0]
        status = "failed" if run.seed else "finished"
        leave(run, rows(losses), status, error="the training loss became inf" if run.seed else None)
    for run, loss in zip(made.grid(lp_sgd), (3.0, 2.5), strict=True):
        leave(run, rows([9.0, 6.0, 4.0, loss]))
    for run in made.chosen(lp_sgd)[1:]:
        leave(run, rows([9.0, 6.0, 4.0, 2.5 + run.seed]))
    return made


@pytest.fixture(scope="module")
def folder(made, config):
    arguments = ["--config", str(config), "--run-dir", str(made.folder), *ARGUMENTS]
    assert command.main([*arguments, "--report-only"]) == command.FINISHED
    return made.folder


def table(text, heading, number=0):
    """Rows of a table of summary.md, as lists of cells."""
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n?)+", section, flags=re.MULTILINE)
    return [line[2:-2].split(" | ") for line in tables[number].strip().split("\n")]


def test_csv_has_every_evaluation_of_every_run(folder):
    with open(folder / "compare.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 3 * 4 + (4 + 2 + 2) + 4 * 4
    assert list(found[0])[:6] == [
        *("label", "algorithm", "seed", "compared", "status", "optimizer.learning_rate")
    ]
    left = [r for r in found if r["label"] == "lp_sgd" and r["compared"] == "False"]
    assert [row["optimizer.learning_rate"] for row in left] == ["1"] * 4
    wild = [r for r in found if (r["label"], r["seed"]) == ("wild", "2")]
    assert [(r["algorithm"], r["status"], r["val_loss"]) for r in wild] == [
        ("sgd", "diverged", "9.0"),
        ("sgd", "diverged", "1e+30"),
    ]


def test_results_by_hand(folder):
    text = (folder / "summary.md").read_text()
    head, _, halp, wild, lp_sgd = table(text, "Results")
    results = {row[0]: dict(zip(head, row, strict=True)) for row in (halp, wild, lp_sgd)}
    # HALP: 1.0, 1.5, 2.0, standard deviation 0.5, over the root of 3.
    assert results["halp"]["validation loss"] == "1.50 ± 0.29"
    assert results["halp"]["best validation accuracy"] == "0.8 ± 0"
    assert results["halp"]["validation accuracy"] == "0.75 ± 0"
    assert results["halp"]["passes over the data"] == "9"
    assert (results["wild"]["seeds"], results["wild"]["validation loss"]) == ("1 of 3", "6")
    assert results["lp_sgd"]["tuned"] == "learning_rate=2"
    assert [results[label]["tries"] for label in ("halp", "wild", "lp_sgd")] == ["1", "1", "2"]
    assert results["lp_sgd"]["validation loss"] == "3.50 ± 0.58"  # 2.5, 3.5, 4.5


def test_pairs_by_hand(folder):
    text = (folder / "summary.md").read_text()
    # At equal epochs, LP-SGD minus HALP: 1.5, 2, 2.5; t = 2 / (0.5 / sqrt 3) = 6.93, 2 degrees.
    rows = {tuple(row[:2]): row[2:] for row in table(text, "Pairs", 0)[2:]}
    # t(0.975, 2) = 4.303 times the error is 1.24; wild has no p, so lp_sgd's is the family.
    assert rows["lp_sgd", "validation loss"] == [
        *("+2.00 ± 0.29", "+0.8 to +3.2", "0.02", "0.02", "+4 (+0.37 to +7.8)"),
        *("0 / 0 / 3", "3 of 3", "2 against 1"),
    ]
    assert rows["wild", "validation loss"] == [
        *("+5", "-", "-", "-", "-", "0 / 0 / 3", "1 of 3", "1 against 1")
    ]
    # At equal cost, 3 passes: HALP after its first epoch, 4, 5, 6; LP-SGD after its third.
    rows = {tuple(row[:2]): row[2:] for row in table(text, "Pairs", 1)[2:]}
    assert rows["lp_sgd", "validation loss"] == [
        *("-1.5 ± 0", "-1.5 to -1.5", r"\< 0.0001", r"\< 0.0001", "-"),
        *("3 / 0 / 0", "3 of 3", "2 against 1"),
    ]
    assert "At equal epochs, 3 epochs:" in text and "At equal cost, 3 gradient" in text


def test_grid_failures_and_settings_are_told(folder):
    text = (folder / "summary.md").read_text()
    assert table(text, "Tuning")[2:] == [
        ["learning_rate=1", "3", ""],
        ["learning_rate=2", "2.5", "chosen"],
    ]
    assert "the chosen optimizer.learning_rate is at the edge of its grid" in text
    assert table(text, "Runs that did not finish")[2:] == [
        ["wild-seed1", "diverged", "the training loss became inf", "1"],
        ["wild-seed2", "diverged", "the training loss became inf", "1"],
    ]
    assert ["wild", "algorithm.name=sgd, optimizer.learning_rate=50"] in table(text, "Settings")
    assert "mu: 3.0" in text and "| keras | 3.15.1 |" in text and "--report-only" in text


def test_page_is_whole_and_needs_nothing(folder):
    text = (folder / "report.html").read_text()
    page = Checker(VOID)
    page.feed(text)
    page.close()
    assert page.open == [] and not {"script", "link", "iframe"} & set(page.tags)
    sources = [value for key, value in page.attributes if key in ("src", "href", "srcset")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?:|@import|url\(", text)
    # Two metrics, validation and training, three budgets; two diagnostics of HALP.
    assert len(sources) == page.tags.count("img") == 2 * 2 * 3 + 2
    boxes = [value for key, value in page.attributes if (key, value) == ("class", "wide")]
    assert len(boxes) == page.tags.count("table")
    assert ("name", "viewport") in page.attributes
    for shown_text in ("1.50 ± 0.29", "halp: variance, reduced / plain", "1 of 3", "mu: 3.0"):
        assert shown_text in "".join(page.text)


def test_curves_are_means_with_bands(made):
    results = Results(made)
    panel = figures.rows_of_panels(results)[0][1]
    assert (panel.label, panel.budget[0]) == ("validation loss", "gradient_evaluations")
    found = figures.series(list(results.finished(made.candidates[0]).values()), panel)
    assert [x for x, _ in found] == [3.0, 6.0, 9.0]  # not the evaluation before the training
    assert [mean.value for _, mean in found] == [5.0, 3.0, 1.5]
    assert found[0][1].error == pytest.approx(1 / 3**0.5)
    figure = figures.figure(results)
    assert [axes.get_xlabel() for axes in figure.axes[:3]] == [name for _, name in figures.BUDGETS]
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        *("validation loss", "training loss", "validation accuracy", "training accuracy")
    ]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "halp (3 of 3 seeds)",
        "wild (1 of 3 seeds)",
        "lp_sgd, learning_rate=2 (3 of 3 seeds)",
    ]
    assert figure.axes[0].get_ylim()[1] < 100  # A run that diverged does not squeeze the others.


@pytest.mark.parametrize("length", [4, 40, 60])
def test_the_legend_stays_in_the_figure(comparison, leave, length):
    """With its seeds a label of 60 letters takes half of the width."""
    labels = [letter * length for letter in "abcd"]
    made = comparison("--algorithms", ",".join(f"{x}=sgd" for x in labels), "--seeds", "0")
    for candidate in made.candidates:
        leave(made.chosen(candidate)[0], rows([9.0, 1.0]))
    figure = figures.figure(Results(made))
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert 0 <= box.y0 < box.y1 <= figure.bbox.height


def test_nothing_to_compare(comparison, leave, config, capsys):
    made = comparison("--algorithms", "sgd", "--seeds", "0")
    leave(made.chosen(made.candidates[0])[0], rows([9.0]), "failed", error="it became inf")
    made.write_common()
    arguments = ["--config", str(config), "--run-dir", str(made.folder), "--algorithms", "sgd"]
    assert command.main([*arguments, "--seeds", "0", "--report-only"]) == command.FAILED
    assert "sgd-seed0: it became inf" in capsys.readouterr().err
    assert not (made.folder / "report.html").exists()


def test_runs_on_other_data_are_told(comparison, leave):
    made = comparison("--algorithms", "sgd", "--seeds", "0,1")
    runs = made.chosen(made.candidates[0])
    for run in runs:
        leave(run, rows([9.0, 1.0]))
    summary = json.loads((runs[1].path / "summary.json").read_text())
    summary["dataset"]["train_examples"] = 7
    (runs[1].path / "summary.json").write_text(json.dumps(summary))
    assert "did not train on the same data" in " ".join(Results(made).remarks())


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        (Mean(352.46, 8.71, 3), "352.5 ± 8.7"),
        (Mean(352.46, 129.0, 3), "352 ± 129"),
        (Mean(1234567.0, 12345.0, 3), "1234567 ± 12345"),
        (Mean(5.5561e-3, 4.3e-6, 3), "0.0055561 ± 0.0000043"),
        (Mean(5.5561e-9, 4.3e-11, 3), "5.556e-09 ± 4.3e-11"),
        (Mean(2.0, 0.0, 3), "2 ± 0"),
        (Mean(2.0, None, 1), "2"),
        (Mean(float("inf"), float("nan"), 3), "inf"),
        (None, "-"),
    ],
)
def test_numbers_to_the_place_of_their_error(mean, text):
    assert shown(mean) == text


def test_p_values():
    assert [p_value(p) for p in (None, 1e-9, 0.0316, 0.5)] == ["-", "< 0.0001", "0.032", "0.5"]
