"""The Keras callback that writes metrics.csv and ends a run that diverged or was stopped."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tq_halp.commands.running.metrics import perplexity
from tq_halp.commands.running.run_directory import RunDirectory
from tq_halp.commands.running.shuffling import ShuffledExamples


class RunRecorder(keras.callbacks.Callback):
    """Writes one row per epoch; ends training if a stop is requested or a loss is not finite.

    Args:
        run: where to write.
        examples: knows how far the epoch is; an interrupted epoch is recorded as a fraction.
        is_language_model: whether to record perplexities.
        stop_requested: called after every step and every epoch.
        seconds: how long the run took before this process.
    """

    def __init__(
        self,
        run: RunDirectory,
        examples: ShuffledExamples,
        *,
        is_language_model: bool,
        stop_requested: Callable[[], bool] = lambda: False,
        seconds: float = 0.0,
    ):
        super().__init__()
        self.run, self._examples = run, examples
        self.is_language_model, self.stop_requested = is_language_model, stop_requested
        #: Why training failed, or None.
        self.failure: str | None = None
        self._start = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """Seconds since the run began, without interruptions."""
        return round(time.perf_counter() - self._start, 3)

    def record(self, epoch: float, logs: Mapping) -> None:
        """Writes the row of an evaluation."""
        row = {**logs, "epoch": epoch, "seconds": self.seconds}
        row |= {f"train_{name}": logs.get(name) for name in ("loss", "accuracy")}
        if self.is_language_model and "val_loss" in logs:
            row["val_perplexity"] = perplexity(logs["val_loss"])
        self.run.add_row({key: _number(value) for key, value in row.items()})

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Ends training if a stop is requested or the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.failure = f"the training loss became {float(loss)}"
        self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the row; a validation loss that is not finite ends training."""
        logs, examples = logs or {}, self._examples
        done = examples.step / examples.steps_per_epoch
        self.record(epoch + 1 if examples.epoch_is_done else round(epoch + done, 4), logs)
        if self.failure:
            self.failure += f" in epoch {epoch + 1}"
        elif not math.isfinite(logs.get("val_loss", 0.0)):
            self.failure = f"the validation loss became {logs['val_loss']} in epoch {epoch + 1}"
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.failure or self.stop_requested():
            self.model.stop_training = True


def _number(value: Any) -> Any:
    """Scalars of Keras and NumPy as Python numbers."""
    if value is None or isinstance(value, (int, str)):
        return value
    return float(value)
