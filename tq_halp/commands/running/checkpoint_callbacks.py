"""Keras callbacks that write a run's checkpoints, and that restore the one it resumes from."""

from collections.abc import Callable

import keras

from tq_halp.commands.running.checkpoint_folder import Checkpoint, Checkpoints
from tq_halp.commands.running.checkpointed_state import host_state, is_finite, restore, variables_of
from tq_halp.commands.running.metrics_recorder import RunRecorder
from tq_halp.commands.running.shuffling import ShuffledExamples


class Resuming(keras.callbacks.Callback):
    """Restores all variables and states from a checkpoint when `fit` begins.

    It must come before callbacks that read the variables when training begins.

    Args:
        checkpoint: None for a run from the beginning.
    """

    def __init__(self, checkpoint: Checkpoint | None):
        super().__init__()
        self._checkpoint = checkpoint

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Restores after the algorithm's own callback, which resets its state."""
        self._restore()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Restores again within an epoch: Keras has just reset the sums of its metrics."""
        if self._checkpoint is not None and self._checkpoint.step:
            self._restore()
        self._checkpoint = None

    def _restore(self) -> None:
        if self._checkpoint is not None:
            restore(self.model, self._checkpoint.arrays, self._checkpoint.host_state)


class Checkpointing(keras.callbacks.Callback):
    """Writes a checkpoint at the start, after every epoch and every N steps.

    It also writes one before every snapshot, which is long and may be interrupted, and when a stop
    is requested. It must come after all callbacks that change variables or rows. Weights that are
    not finite are not saved: the file would replace a good checkpoint.

    Args:
        checkpoints: where to write.
        examples: knows how far the run is.
        recorder: has the rows, and knows whether a stop was requested or the run failed.
        every_steps: N; None for epochs only.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        examples: ShuffledExamples,
        recorder: RunRecorder,
        every_steps: int | None = None,
    ):
        super().__init__()
        self._checkpoints, self._examples, self._recorder = checkpoints, examples, recorder
        self._every_steps = every_steps

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Writes the first checkpoint, and stops at once if a stop is requested by now."""
        if self._examples.total_steps == 0:
            self._save(0, 0)
        if self._recorder.stop_requested():
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Writes one if due, except after the last step of an epoch: `on_epoch_end` follows."""
        examples, recorder = self._examples, self._recorder
        due = self._every_steps and examples.total_steps % self._every_steps == 0
        if (due or self.model.loop.is_snapshot_due or recorder.stop_requested()) and not (
            examples.epoch_is_done or recorder.failure
        ):
            self._save(examples.epoch, examples.step)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes one with the epoch's row."""
        if self._examples.epoch_is_done and not self._recorder.failure:
            self._save(epoch + 1, 0)

    def _save(self, epoch: int, step: int) -> None:
        if not is_finite(self.model):
            return
        checkpoint = Checkpoint(
            epoch=epoch,
            step=step,
            total_steps=self._examples.total_steps,
            rows=self._recorder.run.rows,
            seconds=self._recorder.seconds,
            host_state=host_state(self.model),
        )
        arrays: list[Callable] = [variable.numpy for variable in variables_of(self.model)]
        self._checkpoints.save(checkpoint, arrays)
