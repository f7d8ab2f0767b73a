"""The callback that writes down what happens while it happens."""

import math
import time
from collections.abc import Callable, Mapping

import keras

from tq_halp.running.metrics import perplexity
from tq_halp.running.run_directory import RunDirectory


class RunRecorder(keras.callbacks.Callback):
    """One row and one checkpoint per epoch; ends the training when it is asked to, or diverged.

    Args:
        run: where to write.
        model: the model whose weights are the checkpoint.
        steps_per_epoch: of a whole epoch; an interrupted one is recorded as the fraction it was.
        is_language_model: whether to record perplexities.
        stop_requested: polled after every step.
    """

    def __init__(
        self,
        run: RunDirectory,
        model: keras.Model,
        *,
        steps_per_epoch: int,
        is_language_model: bool,
        stop_requested: Callable[[], bool] = lambda: False,
    ):
        super().__init__()
        self.run, self.user_model = run, model
        self.steps_per_epoch, self.is_language_model = steps_per_epoch, is_language_model
        self.stop_requested = stop_requested
        #: Why the training went wrong, or None.
        self.failure: str | None = None
        self._start = time.perf_counter()

    def record(self, epoch: float, logs: Mapping) -> None:
        """Write the row of an evaluation."""
        row = {**logs, "epoch": epoch, "train_loss": logs.get("loss")}
        row["seconds"] = round(time.perf_counter() - self._start, 3)
        if self.is_language_model and "val_loss" in logs:
            row["val_perplexity"] = perplexity(logs["val_loss"])
        self.run.add_row({key: _number(value) for key, value in row.items()})

    def on_epoch_begin(self, epoch, logs=None):
        """Count the steps of this epoch."""
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        """Stop on request, or when the loss is no number any more."""
        self._steps += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.failure = f"the training loss became {float(loss)}"
        if self.failure or self.stop_requested():
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        """Write the row and the checkpoint, unless the weights are beyond use."""
        logs = logs or {}
        done = self._steps / self.steps_per_epoch
        self.record(epoch + 1 if done == 1 else round(epoch + done, 4), logs)
        if self.failure:
            self.failure += f" in epoch {epoch + 1}"
        elif not math.isfinite(logs.get("val_loss", 0.0)):
            self.failure = f"the validation loss became {logs['val_loss']} in epoch {epoch + 1}"
            self.model.stop_training = True
        else:
            self.run.save_checkpoint(self.user_model, epoch + 1)


def _number(value):
    """Keras' and NumPy's scalars as the Python numbers they stand for."""
    if value is None or isinstance(value, (int, str)):
        return value
    return float(value)
