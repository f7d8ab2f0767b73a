"""The current epoch and step of training, for quantizers that have a schedule."""

from typing import Any

import keras
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.quantizers.scheduled_quantizer import ScheduledQuantizer


class TrainingClock(keras.layers.Layer):
    """A layer with two int64 weights, the current epoch and step. They are saved with the model.

    The callback `tq_halp.QuantizationSchedule` of `fit` sets them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        # Attributes too, for tf.train.Checkpoint silently ignores a mapping.
        self.epoch, self.step = map(self._position, ("epoch", "step"))
        self.positions = {"epoch": self.epoch, "step": self.step}
        self.driven = False
        self.built = True

    def _position(self, unit: str) -> keras.Variable:
        return self.add_weight(
            name=unit, shape=(), dtype="int64", initializer="zeros", trainable=False
        )

    def now(self, unit: str) -> tf.Tensor:
        """The current epoch or step, an int64 scalar, from 0. `unit` is "epoch" or "step"."""
        return tf.convert_to_tensor(self.positions[unit].value)

    def bind(self, quantizer: Any) -> Any:
        """The quantizer; a scheduled one is given this clock."""
        return quantizer.bind(self) if isinstance(quantizer, ScheduledQuantizer) else quantizer

    def check_driven(self) -> None:
        """Checks that a callback sets this clock while the model trains, or raises InputError."""
        if not self.driven:
            raise InputError(
                f"{self.name.removesuffix('_clock')} has a schedule, which nothing advances: pass "
                "callbacks=[tq_halp.QuantizationSchedule()] to fit"
            )
