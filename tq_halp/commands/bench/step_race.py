"""Times training steps and snapshots of several algorithms on one model, in turns."""

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import quant_ops
import tq_halp
from tq_halp.commands.bench.timing import in_turn

GRADIENTS = "gradients alone"
GRID = tq_halp.formats.FixedPoint(8, 6)
#: Name -> wraps a model. The others are compared with the first.
KINDS = {
    "Keras, SGD": lambda model: model,
    "SGD": tq_halp.SGD,
    "LP-SGD, 8 bits": lambda model: tq_halp.LowPrecisionSGD(model, GRID),
    "BC-SGD, 8 bits": tq_halp.BitCenteredSGD,
    "BC-SAGA, 8 bits": lambda model: tq_halp.BitCenteredSAGA(model, table_format=8),
    "SVRG": tq_halp.SVRG,
    "HALP, 8 bits": tq_halp.HALP,
}


class StepRace:
    """Copies of a model, each with its own algorithm, and the data of one turn.

    Args:
        make_model: makes a ``keras.Model`` with logits of classes.
        data: x and y; examples after the last whole minibatch are not used.
        batch_size: examples in a minibatch.
        learning_rate: of SGD.
    """

    def __init__(
        self,
        make_model: Callable[[], keras.Model],
        data: Sequence[np.ndarray],
        *,
        batch_size: int,
        learning_rate: float,
    ):
        self.batch_size = batch_size
        self.batches = len(data[0]) // batch_size
        self._x, self._y = (array[: self.batches * batch_size] for array in data)
        self._trainers = {name: wrap(make_model()) for name, wrap in KINDS.items()}
        for trainer in self._trainers.values():
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            trainer.compile(keras.optimizers.SGD(learning_rate), loss=loss)

    def steps(self, turns: int) -> dict[str, list[list[float]]]:
        """Seconds of every step but the first of a turn: algorithm -> a list for each turn."""
        seconds: dict[str, list[list[float]]] = {name: [] for name in self._trainers}

        def fit(name: str) -> None:
            watch = Stopwatch()
            self._fit(self._trainers[name], callbacks=[watch])
            seconds[name].append(watch.seconds[1:] or watch.seconds)

        in_turn({name: functools.partial(fit, name) for name in seconds}, turns)
        # The call before the first turn does not count: it compiles.
        return {name: each[1:] for name, each in seconds.items()}

    def snapshots(self, turns: int) -> dict[str, list[list[float]]]:
        """Seconds per minibatch of a pass of gradients, and of the snapshots of SVRG and HALP."""
        tasks = {GRADIENTS: self._pass_of_gradients()}
        for name, trainer in self._trainers.items():
            snapshots = getattr(trainer, "snapshots", None)
            if snapshots is not None and snapshots.takes_pass:
                self._fit(trainer, steps_per_epoch=1)
                tasks[f"snapshot of {name}"] = trainer.snapshots.take
        seconds = in_turn(tasks, turns)
        return {name: [[each / self.batches] for each in s] for name, s in seconds.items()}

    def _fit(self, trainer: keras.Model, **options: Any) -> None:
        trainer.fit(self._x, self._y, batch_size=self.batch_size, verbose=0, **options)

    def _pass_of_gradients(self) -> Callable[[], None]:
        """A function that computes the gradients of all minibatches, and nothing else."""
        model = self._trainers["Keras, SGD"]
        cut = tf.data.Dataset.from_tensor_slices((self._x, self._y)).batch(self.batch_size)
        batches = list(cut)

        @tf.function
        def gradients(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
            # Updates nothing, not even the statistics of a BatchNormalization.
            backend = quant_ops.forced(quant_ops.backend())  # as in the steps of `fit`
            with backend, tf.GradientTape() as tape, keras.StatelessScope():
                loss = model.compute_loss(x, y, model(x, training=True), training=True)
            found = tape.gradient(loss, model.trainable_variables)
            assert all(each is not None for each in found)
            return found

        def whole() -> None:
            for x, y in batches:
                gradients(x, y)

        return whole


class Stopwatch(keras.callbacks.Callback):
    """Seconds of each step, without what Keras does between the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stops the clock."""
        self.seconds.append(time.perf_counter() - self._start)


def summary(seconds: Mapping[str, list[list[float]]]) -> Iterator[dict[str, Any]]:
    """Median and first quartile of all times of each contender, and its ratio to the first one.

    ratio: the median, over the turns, of (median of the contender's turn / median of the first's).
    """
    first = next(iter(seconds.values()))
    for what, turns in seconds.items():
        pooled = [each for turn in turns for each in turn]
        ratios = [
            statistics.median(ours) / statistics.median(theirs)
            for ours, theirs in zip(turns, first, strict=True)
        ]
        yield {
            "what": what,
            "median": statistics.median(pooled),
            "quartile": float(np.quantile(pooled, 0.25)),
            "ratio": statistics.median(ratios),
        }
