"""`QuantizationSchedule`: the callback that sets the training clocks of scheduled quantizers."""

from typing import Any

import keras

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers.training_clock import TrainingClock


class QuantizationSchedule(keras.callbacks.Callback):
    """Sets epoch and step for schedules: `model.fit(..., callbacks=[QuantizationSchedule()])`.

    Epochs are those of `fit`, from 0 (`initial_epoch` continues a run). Steps are batches. They are
    stored with the model, so the count continues over calls of `fit`, saving and loading. Both are
    set before a batch: the first batch of epoch 2 is quantized as scheduled for epoch 2. The model
    may be any model with scheduled layers, such as a `HALP` trainer around one. Without such layers
    the callback does nothing.

    A custom training loop calls `set_model(model)`, `on_train_begin()`, and then, as Keras does,
    `on_epoch_begin(epoch)` and `on_train_batch_begin(batch)`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clocks: list[TrainingClock] = []
        self._is_fresh = True  # no epoch has begun yet
        self._step = 0  # of the epoch's first batch
        self._next = 0  # the next batch, within the epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        layers = flatten_layers(self.model)
        self._clocks = [layer for layer in layers if isinstance(layer, TrainingClock)]
        for clock in self._clocks:
            clock.driven = True
        self._is_fresh, self._step, self._next = True, 0, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._is_fresh:
            self._is_fresh = False
            # Not in on_train_begin, in which another callback may restore the model.
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
