"""The train command when all goes well: the run directory it leaves, and what it says."""

import json
import math

import pytest

from tq_halp.commands import train
from tq_halp.commands.running.run_directory import COLUMNS
from tq_halp.data import download

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def finished(folder):
    """A finished run of CONFIG."""
    run = folder / "finished"
    arguments = ["--config", str(folder / "run.yaml"), "--run-dir", str(run)]
    assert train.main(arguments) == train.FINISHED
    return run


def without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_run_directory_is_complete(finished):
    assert sorted(p.name for p in finished.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "curves.png",
        "diagnostics.png",
        "metrics.csv",
        "model.keras",
        "summary.json",
    ]
    assert sorted(p.name for p in (finished / "checkpoints").iterdir()) == [
        "step-0000000000.checkpoint",
        "step-0000000008.checkpoint",
        "step-0000000016.checkpoint",
    ]


def test_metrics_have_a_row_per_evaluation(finished, rows_of):
    rows = rows_of(finished)
    assert tuple(rows[0]) == COLUMNS
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    # 59 windows of 10 in batches of 8.
    assert [row["step"] for row in rows] == ["0", "8", "16"]
    # A HALP epoch: one snapshot and two gradients a step.
    assert [float(row["gradient_evaluations"]) for row in rows] == [0, 3, 6]
    assert rows[0]["train_loss"] == rows[0]["scale"] == ""
    assert all(float(rows[2][column]) > 0 for column in ("train_loss", "scale", "mu"))
    assert float(rows[2]["val_loss"]) < float(rows[0]["val_loss"])


def test_summary_tells_what_ran(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["status"] == "finished" and summary["seed"] == 3
    assert summary["dataset"]["name"] == "python_docs" and not summary["dataset"]["fallback"]
    assert summary["final"]["epoch"] == 2
    assert summary["best"]["val_loss"] <= summary["final"]["val_loss"]
    assert set(summary["versions"]) == {"python", "tensorflow", "keras", "numpy", "tq_halp"}
    # The last 5 percent of the manual, but no more tokens than validation has.
    assert summary["dataset"]["test_examples"] == summary["dataset"]["validation_examples"] == 19
    assert summary["test"]["perplexity"] == pytest.approx(math.exp(summary["test"]["loss"]))
    # Embedding 400, LSTM 4·(4+4+1)·4 = 144, logits 4·100 + 100.
    assert summary["parameters"] == 400 + 144 + 500


def test_saved_model_is_the_last_evaluations(finished, rows_of):
    import keras
    import numpy as np

    from tq_halp import config, data

    dataset = data.load(config.load(finished / "config.yaml").data)
    model = keras.models.load_model(finished / "model.keras")
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.evaluate(*dataset.validation, batch_size=8, verbose=0)
    # The same weights in the same batches; summation may differ by a few ulp of float32.
    assert loss == pytest.approx(float(rows_of(finished)[-1]["val_loss"]), rel=1e-5)
    assert np.isfinite(loss)


def test_resolved_config_repeats_the_run(finished, folder, rows_of):
    run = folder / "again"
    arguments = ["--config", str(finished / "config.yaml"), "--run-dir", str(run)]
    assert "layers: logits" in (finished / "config.yaml").read_text()
    assert train.main(arguments) == train.FINISHED
    assert without_seconds(rows_of(run)) == without_seconds(rows_of(finished))
    assert (run / "config.yaml").read_text() == (finished / "config.yaml").read_text()


def test_finished_run_is_not_overwritten(finished, folder, capsys):
    before = (finished / "metrics.csv").read_bytes()
    arguments = ["--config", str(folder / "run.yaml"), "--run-dir", str(finished)]
    assert train.main(arguments) == train.WRONG_INPUT
    assert "holds a finished run" in capsys.readouterr().err
    assert (finished / "metrics.csv").read_bytes() == before


def test_fallback_is_told_everywhere(folder, capsys, monkeypatch):
    from tq_halp.data import locate

    monkeypatch.delenv("TQ_HALP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "empty"))
    monkeypatch.setattr(locate, "__file__", str(folder / "a/b/c/locate.py"))
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    run = folder / "fallback"
    arguments = ["--config", str(folder / "run.yaml"), "--run-dir", str(run)]
    settings = ["data.name=ptb", "train.epochs=1", "algorithm.name=sgd", "quantization=null"]
    for setting in settings:
        arguments += ["--set", setting]
    assert train.main(arguments) == train.FINISHED
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: ptb was found neither")
    assert "data set: python_docs (in place of ptb)" in captured.out
    dataset = json.loads((run / "summary.json").read_text())["dataset"]
    assert (dataset["name"], dataset["requested"], dataset["fallback"]) == (
        "python_docs",
        "ptb",
        True,
    )
    assert "name: python_docs" in (run / "config.yaml").read_text()


def test_dry_run_shows_everything_and_writes_nothing(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert train.main(["--config", "run.yaml", "--dry-run"]) == train.FINISHED
    shown = capsys.readouterr().out
    for part in ("word_bits: 8", "logits", "fixed_point(8, 6)", "1,044", "6 passes", "estimated"):
        assert part in shown
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", ["halp", "svrg", "lp_svrg", "lp_sgd"])
def test_algorithms_by_name_alone(folder, tmp_path, rows_of, name):
    arguments = ["--config", str(folder / "regression.yaml"), "--run-dir", str(tmp_path / "run")]
    assert train.main([*arguments, "--set", f"algorithm.name={name}"]) == train.FINISHED
    rows = rows_of(tmp_path / "run")
    passes = {"lp_sgd": 2}.get(name, 6)
    assert float(rows[-1]["gradient_evaluations"]) == passes
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])
    assert rows[-1]["val_perplexity"] == ""
    assert (rows[-1]["full_gradient_norm"] == "") == (name == "lp_sgd")
