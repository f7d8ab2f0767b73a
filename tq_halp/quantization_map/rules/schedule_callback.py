"""Who tells the layers of a model at which epoch and step its training is."""

from typing import Any

import keras

from tq_halp.quantizers.training_clock import TrainingClock


class QuantizationSchedule(keras.callbacks.Callback):
    """Drives the schedules of a map: `model.fit(..., callbacks=[QuantizationSchedule()])`.

    Epochs are those of `fit`, from 0 (`initial_epoch` continues a run). Steps are batches, counted
    on over calls of `fit` and over saving and loading, since they are stored with the model. Both
    are set before the batch that they are about, so that the first batch of epoch 2 is quantized as
    epoch 2 says. Works for any model that holds scheduled layers, such as a `HALP` trainer around
    one; without such layers it does nothing.

    In a training loop of one's own: `set_model(model)`, `on_train_begin()`, then
    `on_epoch_begin(epoch)` and `on_train_batch_begin(batch)`, as Keras would.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clocks: list[TrainingClock] = []
        self._is_fresh = True  # whether no epoch has begun since training began
        self._step = 0  # of the epoch's first batch
        self._next = 0  # the batch after the last one, within the epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        layers = self.model._flatten_layers()
        self._clocks = [layer for layer in layers if isinstance(layer, TrainingClock)]
        for clock in self._clocks:
            clock.driven = True
        self._is_fresh, self._step, self._next = True, 0, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._is_fresh:
            self._is_fresh = False
            # Not before: another callback may restore the model as training begins.
            steps = [int(clock.positions["step"].numpy()) for clock in self._clocks]
            self._step = max(steps, default=0)
        self._step, self._next = self._step + self._next, 0
        self._set("epoch", epoch)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._set("step", self._step + batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._next = batch + 1
        self._set("step", self._step + self._next)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        for clock in self._clocks:
            clock.driven = False

    def _set(self, unit: str, position: int) -> None:
        for clock in self._clocks:
            clock.positions[unit].assign(position)
