"""Where training stands, for the layers whose quantizers change with it."""

from typing import Any

import keras
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.quantizers.scheduled_quantizer import ScheduledQuantizer


class TrainingClock(keras.layers.Layer):
    """The epoch and the step that training is at, two int64 weights, saved with the model.

    Somebody outside has to set them: `tq_halp.QuantizationSchedule`, a callback of `fit`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        # As attributes: tf.train.Checkpoint passes over a mapping in silence.
        self.epoch, self.step = map(self._position, ("epoch", "step"))
        self.positions = {"epoch": self.epoch, "step": self.step}
        self.driven = False
        self.built = True

    def _position(self, unit: str) -> keras.Variable:
        return self.add_weight(
            name=unit, shape=(), dtype="int64", initializer="zeros", trainable=False
        )

    def now(self, unit: str) -> tf.Tensor:
        """The epoch or the step, an int64 scalar, from 0."""
        return tf.convert_to_tensor(self.positions[unit].value)

    def bind(self, quantizer: Any) -> Any:
        """The quantizer itself or, if it is a scheduled one, the same going by this clock."""
        return quantizer.bind(self) if isinstance(quantizer, ScheduledQuantizer) else quantizer

    def check_driven(self) -> None:
        """Raises InputError if nobody is there to set the clock while the model trains."""
        if not self.driven:
            raise InputError(
                f"{self.name.removesuffix('_clock')} has a schedule, which nobody drives: pass "
                "callbacks=[tq_halp.QuantizationSchedule()] to fit"
            )
