"""The run directory: what it refuses to overwrite, and that no file is seen half written."""

import csv
import json
import math

import pytest
from matplotlib.figure import Figure

from tq_halp.atomic_files import replacing
from tq_halp.commands.running import diagnostics_plot
from tq_halp.commands.running.curves_plot import plot_curves
from tq_halp.commands.running.metrics import perplexity
from tq_halp.commands.running.run_directory import COLUMNS, RunDirectory
from tq_halp.errors import InputError


def test_an_exception_leaves_the_former_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as path:
        path.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_rows_are_on_disk_at_once_with_every_column(tmp_path):
    run = RunDirectory(tmp_path / "deep" / "run")
    for epoch in range(3):
        run.add_row({"epoch": epoch, "val_loss": 0.1 + epoch})
        with open(run.path / "metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == COLUMNS
        # repr of a float round-trips, so reading is exact.
        assert [float(row["val_loss"]) for row in rows] == [0.1 + e for e in range(epoch + 1)]
        assert rows[-1]["mu"] == ""


def test_summary_is_json_even_of_numbers_that_json_lacks(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.write_summary({"status": "failed", "final": {"val_loss": math.nan, "mu": math.inf, "n": 1}})
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["final"] == {"val_loss": "nan", "mu": "inf", "n": 1}


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_unfinished_run_is_replaced(tmp_path, status):
    run = RunDirectory(tmp_path / "run")
    run.add_row({"epoch": 0})
    (run.checkpoints / ".writing-step-0000000000.checkpoint").write_text("")
    (run.path / ".writing-summary.json").write_text("")
    run.write_summary({"status": status})
    RunDirectory(run.path)
    assert [entry.name for entry in run.path.iterdir()] == ["checkpoints"]
    assert list(run.checkpoints.iterdir()) == []


def test_killed_before_it_wrote_anything_is_replaced(tmp_path):
    (RunDirectory(tmp_path / "run").path / ".writing-summary.json").write_text("")
    RunDirectory(tmp_path / "run").write_summary({"status": "running"})


def test_unfinished_run_with_a_checkpoint_is_refused_and_untouched(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.write_summary({"status": "interrupted"})
    (run.checkpoints / "step-0000000007.checkpoint").write_text("")
    with pytest.raises(InputError, match="continue it with --resume"):
        RunDirectory(run.path)
    assert RunDirectory(run.path, resume=True).checkpoints == run.checkpoints
    assert len(list(run.checkpoints.iterdir())) == 1


def test_only_an_unfinished_run_with_a_checkpoint_is_resumed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(InputError, match="holds no checkpoint"):
        RunDirectory(run.path, resume=True)
    (run.checkpoints / "step-0000000007.checkpoint").write_text("")
    run.write_summary({"status": "finished"})
    with pytest.raises(InputError, match="is finished"):
        RunDirectory(run.path, resume=True)


def test_finished_run_is_refused(tmp_path):
    RunDirectory(tmp_path / "run").write_summary({"status": "finished"})
    with pytest.raises(InputError, match="holds a finished run"):
        RunDirectory(tmp_path / "run")


def test_folder_of_other_things_is_refused_and_untouched(tmp_path):
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(InputError, match="holds no run"):
        RunDirectory(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "mine"


def test_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match="is a file"):
        RunDirectory(tmp_path / "a")
    with pytest.raises(InputError, match="cannot be created"):
        RunDirectory(tmp_path / "a" / "b")


@pytest.mark.parametrize("losses", [[], [5.0], [5.0, 4.0, 3.5], [5.0, math.inf, math.nan], [1e4]])
def test_curves_of_any_run_can_be_drawn(tmp_path, losses):
    rows = [
        {
            "epoch": epoch,
            "gradient_evaluations": 3.0 * epoch,
            "train_loss": loss if epoch else None,
            "val_loss": loss,
            "val_perplexity": perplexity(loss),
        }
        for epoch, loss in enumerate(losses)
    ]
    plot_curves(rows, "a title", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def diagnosed(epochs, **columns):
    """Rows of which the first, before the training, has no diagnostics."""
    rows = [{"epoch": epoch} for epoch in range(epochs + 1)]
    for name, values in columns.items():
        for row, value in zip(rows[1:], values, strict=True):
            row[name] = value
    return rows


def test_panels_of_what_was_recorded():
    rows = diagnosed(2, full_gradient_norm=[2.0, 1.0], variance_ratio=[math.nan, math.nan])
    assert [panel.label for panel in diagnostics_plot.panels([rows])] == [
        "norm of the full gradient"
    ]
    # Rows of a file: cells are text.
    rows = [{"epoch": "0", "mu": ""}, {"epoch": "1", "mu": "0.5", "underflow_fraction": "0.0"}]
    assert [panel.label for panel in diagnostics_plot.panels([[], rows])] == [
        "μ",
        "share of the values",
    ]


def test_a_line_for_each_run_and_column():
    axes = Figure().subplots()
    rows = diagnosed(2, saturated_fraction=[0.0, 0.1], underflow_fraction=[0.3, 0.2])
    diagnostics_plot.draw(axes, diagnostics_plot.PANELS[-1], {"seed 0": rows, "seed 1": rows[:2]})
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert lines == {
        "seed 0, saturated": [[1, 0.0], [2, 0.1]],
        "seed 0, rounded to zero": [[1, 0.3], [2, 0.2]],
        "seed 1, saturated": [[1, 0.0]],
        "seed 1, rounded to zero": [[1, 0.3]],
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epochs", "share of the values")


@pytest.mark.parametrize("norms, has_picture", [([], False), ([3.0], True), ([math.inf], False)])
def test_picture_of_diagnostics_where_there_are_any(tmp_path, norms, has_picture):
    path = tmp_path / "diagnostics.png"
    rows = diagnosed(len(norms), full_gradient_norm=norms)
    diagnostics_plot.plot_diagnostics(rows, "a title", path)
    assert [p.name for p in tmp_path.iterdir()] == ["diagnostics.png"] * has_picture
    assert not has_picture or path.read_bytes().startswith(b"\x89PNG")


def test_perplexity_never_overflows():
    assert perplexity(0.0) == 1.0
    assert perplexity(1e6) == math.inf
    assert math.isnan(perplexity(math.nan))
