"""`--track`: TensorBoard's event files and MLflow's runs say what metrics.csv says."""

import json
import math

import keras
import numpy as np
import pytest

from tq_halp.algorithms import HALP
from tq_halp.commands import train
from tq_halp.commands.running import experiment_trackers
from tq_halp.commands.running.run_directory import RunDirectory
from tq_halp.errors import InputError

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

CONFIG = {
    "data": {"name": "linear_regression", "samples": 40, "features": 4},
    "model": {"name": "linear", "dtype": "float64"},
    "algorithm": {"name": "halp"},
    "optimizer": {"learning_rate": 0.05},
    "train": {"epochs": 3, "batch_size": 8},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("tracked") / "run.yaml"
    path.write_text(json.dumps(CONFIG))  # JSON is YAML.
    return path


def run(config, folder, *more):
    return train.main(["--config", str(config), "--run-dir", str(folder), *more])


def stopped_then_resumed(config, folder, name, monkeypatch):
    """A run that fails to write a second epoch's checkpoint, and goes on."""
    from tq_halp.commands.running.checkpoint_folder import Checkpoints

    save = Checkpoints.save

    def failing(self, checkpoint, arrays):
        if checkpoint.epoch == 2:
            raise OSError(28, "No space left on device")
        save(self, checkpoint, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", failing)
        assert run(config, folder, "--track", name) == train.FAILED
    assert run(config, folder, "--track", name, "--resume") == train.FINISHED


def expected(rows):
    """Column -> {step: value} of what metrics.csv has a number for."""
    columns = {column: {} for column in rows[0] if column != "step"}
    for row in rows:
        for column, steps in columns.items():
            if row[column]:
                steps[int(row["step"])] = float(row[column])
    return {column: steps for column, steps in columns.items() if steps}


def scalars(folder):
    """Tag -> [(step, value)] of the event files in a folder, as TensorBoard reads them."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reading.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: [
            (event.step, float(np.frombuffer(event.tensor_proto.tensor_content, "f4")[0]))
            if event.tensor_proto.tensor_content
            else (event.step, event.tensor_proto.float_val[0])
            for event in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
    }


def test_tensorboard_has_every_row_once(config, tmp_path, rows_of, monkeypatch):
    pytest.importorskip("tensorboard")
    stopped_then_resumed(config, tmp_path / "run", "tensorboard", monkeypatch)
    found, wanted = scalars(tmp_path / "run" / "tensorboard"), expected(rows_of(tmp_path / "run"))
    assert set(found) == set(wanted)
    diagnostics = {"full_gradient_norm", "scale", "saturated_fraction", "mu", "variance_ratio"}
    assert diagnostics | {"underflow_fraction", "val_loss"} <= set(found)
    for column, points in found.items():
        # TensorBoard holds float32, seconds of the first process are rounded to the millisecond.
        assert [step for step, _ in points] == list(wanted[column])
        np.testing.assert_allclose([v for _, v in points], list(wanted[column].values()), 1e-6)


def test_mlflow_has_every_row_once(config, tmp_path, rows_of, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    stopped_then_resumed(config, tmp_path / "run", "mlflow", monkeypatch)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("mine")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.info.status == "FINISHED" and tracked.info.run_name == "run"
    assert tracked.data.params["algorithm.name"] == "halp"
    assert tracked.data.params["train.epochs"] == "3"
    for column, steps in expected(rows_of(tmp_path / "run")).items():
        history = client.get_metric_history(tracked.info.run_id, column)
        assert sorted(metric.step for metric in history) == list(steps)
        if column != "seconds":  # of the row that was lost, and measured again
            assert {metric.step: metric.value for metric in history} == steps
    names = {file.path for file in client.list_artifacts(tracked.info.run_id)}
    pictures = {"curves.png", "diagnostics.png"}
    assert names == {"config.yaml", "metrics.csv", "summary.json"} | pictures


def test_mlflow_without_its_run(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    directory = RunDirectory(tmp_path / "run")
    (tmp_path / "run" / "mlflow_run_id").write_text("0123")
    with pytest.raises(InputError, match="--track mlflow: the store sqlite:.*0123"):
        experiment_trackers.MLflow(directory, {})


def test_keras_own_callback_has_the_diagnostics(tmp_path):
    pytest.importorskip("tensorboard")
    x = np.eye(4, dtype="float32")
    trainer = HALP(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    trainer.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    callback = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    history = trainer.fit(x, x.sum(1), batch_size=2, epochs=2, callbacks=[callback], verbose=0)
    found = scalars(tmp_path / "train")
    for name in ("full_gradient_norm", "scale", "saturated_fraction", "mu", "variance_ratio"):
        values = [value for _, value in found[f"epoch_{name}"]]
        np.testing.assert_allclose(values, history.history[name], 1e-6)


class Remembering:
    """A tracker that fails when told to."""

    def __init__(self):
        self.seen, self.problem = [], ""

    def sync(self, rows):
        if self.problem:
            raise OSError(self.problem)
        self.seen = list(rows)

    def finish(self, run, status):
        self.sync([status])


def test_a_tracker_that_fails_costs_a_warning_and_catches_up(tmp_path):
    broken, fine = Remembering(), Remembering()
    directory = RunDirectory(tmp_path / "run")
    both = experiment_trackers.Trackers({"mlflow": broken, "tensorboard": fine})
    directory.on_rows = both.sync
    broken.problem = "no route to host\nat length"
    with pytest.warns(UserWarning, match="--track mlflow: no route to host; metrics.csv has every"):
        directory.add_row({"step": 1, "val_loss": 2.0})
    assert broken.seen == [] and len(fine.seen) == 1
    broken.problem = ""
    directory.add_row({"step": 2, "val_loss": math.nan})
    assert broken.seen == fine.seen == directory.rows
    both.finish(directory, "finished")
    assert broken.seen == ["finished"]


def test_what_can_be_asked_for(monkeypatch):
    monkeypatch.setattr(experiment_trackers.importlib.util, "find_spec", lambda name: None)
    assert experiment_trackers.names("") == ()
    with pytest.raises(InputError, match=r"--track mlflow: .*pip install 'tq_halp\[mlflow\]'"):
        experiment_trackers.names("mlflow")
    with pytest.raises(InputError, match="Received: 'tensorbord'; did you mean 'tensorboard'"):
        experiment_trackers.names("tensorbord")
    monkeypatch.setattr(experiment_trackers.importlib.util, "find_spec", lambda name: name)
    assert experiment_trackers.names("mlflow,tensorboard,mlflow") == ("mlflow", "tensorboard")


def test_an_unknown_tracker_is_one_line(config, tmp_path, capsys):
    assert run(config, tmp_path / "run", "--track", "wandb") == train.WRONG_INPUT
    shown = capsys.readouterr().err
    assert (
        shown
        == "error: --track must name trackers. Received: 'wandb'; known: tensorboard, mlflow\n"
    )
    assert not (tmp_path / "run").exists()


def test_files_of_an_earlier_run_do_not_stay(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.write_summary({"status": "failed"})
    (tmp_path / "run" / "tensorboard").mkdir()
    (tmp_path / "run" / "mlflow_run_id").write_text("0123")
    RunDirectory(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoints"]
