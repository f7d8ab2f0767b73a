"""Experiment trackers that get the rows of metrics.csv too: TensorBoard and MLflow.

A tracker gets all rows each time and writes the new ones, so that a resumed run records no step
twice. If a tracker fails, the run continues with a warning: metrics.csv has every row.
"""

import importlib.util
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tq_halp.atomic_files import replacing
from tq_halp.commands.running.run_directory import PICTURES, RunDirectory
from tq_halp.commands.running.run_identity import settings
from tq_halp.config import Config
from tq_halp.errors import InputError
from tq_halp.settings_with_origins import suggestion

#: Names of the trackers, of their packages, and of the extras that install them.
NAMES = ("tensorboard", "mlflow")


class Tracker(Protocol):
    """Follows a run."""

    def sync(self, rows: Sequence[Mapping]) -> None:
        """Write those of the run's rows so far that are not written yet."""

    def finish(self, run: RunDirectory, status: str) -> None:
        """The run has ended, its files are complete."""


class TensorBoard:
    """Event files in <run-dir>/tensorboard: each column as a scalar against the row's step.

    They are written again when a run resumes, for rows after the checkpoint are gone by then.
    """

    def __init__(self, run: RunDirectory):
        self._folder, self._written = run.path / "tensorboard", 0
        self._writer: Any = None

    def sync(self, rows: Sequence[Mapping]) -> None:
        """Writes the rows that are not written yet."""
        import tensorflow as tf

        if self._writer is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default():
            for row in rows[self._written :]:
                for column, value in _measured(row):
                    tf.summary.scalar(column, value, step=row["step"])
        self._writer.flush()
        self._written = len(rows)

    def finish(self, run: RunDirectory, status: str) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()


class MLflow:
    """An MLflow run: settings as parameters, columns as metrics, small files as artifacts.

    It is written to MLflow's own store ($MLFLOW_TRACKING_URI, else MLflow's default in the working
    directory), in the experiment $MLFLOW_EXPERIMENT_NAME, else "tq_halp". <run-dir>/mlflow_run_id
    keeps its id: a resumed run continues the same MLflow run.

    Raises:
        InputError: the store cannot be reached, or does not have the run to continue.
    """

    ARTIFACTS = ("config.yaml", "metrics.csv", "summary.json", *PICTURES)
    _STATUS = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}

    def __init__(self, run: RunDirectory, parameters: Mapping):
        import mlflow

        try:
            self._client = mlflow.MlflowClient()
            self._id = self._open(run, parameters)
            self._known = {
                (column, metric.step)
                for column in self._client.get_run(self._id).data.metrics
                for metric in self._client.get_metric_history(self._id, column)
            }
        except Exception as error:  # The store, the network or SQL may raise anything.
            store = mlflow.get_tracking_uri()
            raise InputError(f"--track mlflow: the store {store}: {_first_line(error)}") from error

    def sync(self, rows: Sequence[Mapping]) -> None:
        """Writes the rows that the store does not have."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = [
            Metric(column, value, now, row["step"])
            for row in rows
            for column, value in _measured(row)
            if (column, row["step"]) not in self._known
        ]
        for some in _at_most(new, 1000):
            self._client.log_batch(self._id, metrics=some)
            self._known.update((metric.key, metric.step) for metric in some)

    def finish(self, run: RunDirectory, status: str) -> None:
        """Adds the run's files and sets its status."""
        for name in self.ARTIFACTS:
            if (run.path / name).exists():
                self._client.log_artifact(self._id, str(run.path / name))
        self._client.set_terminated(self._id, self._STATUS[status])

    def _open(self, run: RunDirectory, parameters: Mapping) -> str:
        """The id of the run to continue, or of a new one."""
        from mlflow.entities import Param

        file = run.path / "mlflow_run_id"
        if file.exists():
            name = file.read_text(encoding="utf-8")
            self._client.update_run(name, status="RUNNING")
            return name
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "tq_halp"
        found = self._client.get_experiment_by_name(experiment)
        number = found.experiment_id if found else self._client.create_experiment(experiment)
        name = self._client.create_run(number, run_name=run.path.name).info.run_id
        params = [Param(key, str(value)[:500]) for key, value in parameters.items()]
        for some in _at_most(params, 100):
            self._client.log_batch(name, params=some)
        with replacing(file) as temporary:
            temporary.write_text(name, encoding="utf-8")
        return name


class Trackers:
    """Several trackers as one that never fails.

    Args:
        trackers: by name.
    """

    def __init__(self, trackers: Mapping[str, Tracker] | None = None):
        self._trackers = dict(trackers or {})

    def sync(self, rows: Sequence[Mapping]) -> None:
        """`Tracker.sync` of each. An exception becomes a warning, and the next row tries again."""
        self._each("sync", rows)

    def finish(self, run: RunDirectory, status: str) -> None:
        """`Tracker.finish` of each. An exception becomes a warning."""
        self._each("finish", run, status)

    def _each(self, method: str, *arguments: Any) -> None:
        for name, tracker in self._trackers.items():
            try:
                getattr(tracker, method)(*arguments)
            except Exception as error:
                warnings.warn(
                    f"--track {name}: {_first_line(error)}; metrics.csv has every row",
                    stacklevel=3,
                )


def names(text: str) -> tuple[str, ...]:
    """The trackers in a text such as "tensorboard,mlflow".

    Raises:
        InputError: one is unknown, or its package is not installed.
    """
    chosen = tuple(dict.fromkeys(text.split(","))) if text else ()
    for name in chosen:
        if name not in NAMES:
            raise InputError(
                f"--track must name trackers. Received: {name!r}{suggestion(name, NAMES)}"
            )
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"--track {name}: {name} is not installed; pip install 'tq_halp[{name}]'"
            )
    return chosen


def follow(run: RunDirectory, chosen: Sequence[str], config: Config) -> Trackers:
    """The trackers of these names, which get every row of `run` from now on.

    Raises:
        InputError: MLflow's store cannot be reached, or does not have the run to continue.
    """
    makers: dict[str, Callable[[], Tracker]] = {
        "tensorboard": lambda: TensorBoard(run),
        "mlflow": lambda: MLflow(run, settings(config)),
    }
    trackers = Trackers({name: makers[name]() for name in chosen})
    run.on_rows = trackers.sync
    return trackers


def _measured(row: Mapping) -> Iterator[tuple[str, float]]:
    return ((key, value) for key, value in row.items() if key != "step" and value is not None)


def _at_most(items: list, size: int) -> Iterator[list]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
