"""What happens in an execution: the steps between two calls of Keras' callbacks, and their hooks.

``TrainingLoop`` calls the hooks of a trainer's parts, and counts what training costs.
``train_function`` runs the steps. Keras' own train function takes the minibatch inside the compiled
graph. To find out that data of unknown length have ended, it runs the graph once more without a
minibatch, and whatever does not depend on the minibatch happens nevertheless: step counters
advance, the optimizer's too. The one here takes the minibatch first, and runs a step and its hooks
only if there is one. It calls the hooks itself: ``train_on_batch`` calls no callbacks.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms.checks import check_trainable
from tq_halp.errors import InputError


class TrainingLoop:
    """Calls the hooks of the parts of ``trainer``, in an order that suits all of them."""

    def __init__(self, trainer: keras.Model):
        self._trainer = trainer
        #: Whether the train function is running, or tracing, a step at this moment.
        self.is_stepping = False

    def check_setting(self) -> None:
        """Raises InputError if the algorithm cannot train the model with this setting.

        Calls ``check_setting`` of each part.
        """
        trainer = self._trainer
        check_trainable(trainer, trainer.states.weights)
        if trainer.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(
                f"{type(trainer).__name__} trains on one device; leave the strategy out"
            )
        for part in trainer.parts:
            part.check_setting()

    def on_data(self) -> None:
        """Called before training, when its data are known and the model is built."""
        for part in self._trainer.parts:
            part.on_data()

    def on_fit_begin(self, verbose: bool) -> None:
        """Called when training begins; with ``verbose`` full gradients show a progress bar."""
        trainer = self._trainer
        self.check_setting()
        trainer.fit_data.has_begun = True
        if trainer.snapshots is not None:
            trainer.snapshots.begin(verbose)
        for part in trainer.parts:
            part.on_fit_begin()

    def before_step(self) -> None:
        """Called eagerly before an execution, i.e. before ``steps_per_execution`` steps."""
        trainer = self._trainer
        if not trainer.fit_data.has_begun:
            trainer.fit_data.begin_by_hand()
            self.on_data()
            self.on_fit_begin(verbose=False)
        # The iterate before the snapshots: if it shows an average, w̃ must be the iterate itself.
        for part in reversed(trainer.parts):
            part.before_step()

    def check_step(self) -> None:
        """Raises InputError if the parts need ``before_step``, which was not called.

        This happens where the user calls ``train_step`` instead of ``train_on_batch``.
        """
        trainer = self._trainer
        needs_hooks = trainer.snapshots is not None or trainer.estimator.gives_mean_gradient
        if needs_hooks and not self.is_stepping:
            what = "take its snapshots" if trainer.snapshots is not None else "keep its table"
            raise InputError(
                f"train_step of {type(trainer).__name__} must not be called by itself: nothing "
                f"would {what}. Use fit, or set_full_gradient_data and train_on_batch"
            )

    def after_step(self) -> None:
        """Called eagerly after an execution."""
        # The snapshots last: at the end of a segment they may set the weights to a random iterate.
        for part in reversed(self._trainer.parts):
            part.after_step()

    def on_epoch_end(self) -> None:
        """Called after the steps of an epoch; twice if the epoch ends with a validation."""
        for part in self._trainer.parts:
            part.on_epoch_end()

    def on_fit_end(self) -> None:
        """Called when training ends."""
        trainer = self._trainer
        trainer.fit_data.has_begun = False
        for part in trainer.parts:
            part.on_fit_end()

    # ---- cost and logs -----------------------------------------------------------------------

    @property
    def is_taking_snapshot(self) -> bool:
        """Whether a full gradient is being computed; interrupting it loses no training."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.is_taking

    @property
    def is_snapshot_due(self) -> bool:
        """Whether the next step begins with a pass over the data."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.takes_pass and snapshots.snapshot_due

    def gradient_samples(self) -> int:
        """Number of single-sample gradients computed so far, in steps and in snapshots."""
        trainer = self._trainer
        of_snapshots = 0 if trainer.snapshots is None else int(trainer.snapshots.snapshot_samples)
        return int(trainer.sample_count) + of_snapshots + trainer.estimator.further_samples()

    def gradient_evaluations(self) -> float:
        """Gradients computed so far, in passes over the training data: gradient_samples / N.

        If N, the number of samples, cannot be known, it is the mean of the epochs so far.
        """
        return self.gradient_samples() / self._trainer.fit_data.samples_of_a_pass

    def planned_gradient_evaluations(self, epochs: int, steps_per_epoch: int) -> float:
        """The ``gradient_evaluations`` of a run, before it begins; an expectation if p is random.

        It assumes that a scheduled coefficient never becomes 0.

        Args:
            epochs: length of the run.
            steps_per_epoch: number of minibatches in an epoch.
        """
        trainer, steps = self._trainer, epochs * steps_per_epoch
        gradients = trainer.estimator.gradients_of(steps)
        if trainer.snapshots is not None:
            gradients += trainer.snapshots.gradients_of(steps, steps_per_epoch)
        return gradients / steps_per_epoch

    def needs(self, count: int, first: Sequence[Any]) -> list[str]:
        """What the parts need beside their variables, in words.

        Args:
            count: number of minibatches in the training data.
            first: x, y and sample weights of the first.

        Raises:
            InputError: the machine has not enough of it.
        """
        found = (part.needs(count, first) for part in self._trainer.parts)
        return [each for each in found if each is not None]

    def diagnostics(self) -> dict[str, float]:
        """The numbers that the trainer adds to the logs of an epoch: {name: value}."""
        evaluations = self.gradient_evaluations()
        logs: dict[str, float] = {
            "step": int(self._trainer.step_count),
            "gradient_evaluations": evaluations,
        }
        for part in self._trainer.parts:
            logs |= part.diagnostics()
        return logs


def train_function(trainer: keras.Model) -> Callable[[Iterator], dict]:
    """The function that Keras calls for each execution; for one replica.

    Args:
        trainer: a ``Trainer``, compiled.

    Returns:
        A function of an iterator. It takes up to ``steps_per_execution`` minibatches from it, calls
        ``trainer.loop.before_step``, makes a step with each, calls ``trainer.loop.after_step``, and
        returns the logs of the last step. It raises ``StopIteration`` if there is no minibatch.
    """
    step, following_steps = _compiled(trainer)

    def from_tf(iterator: Any) -> Callable[[], dict] | None:
        batch = iterator.get_next_as_optional()
        if not batch.has_value():
            return None
        return lambda: following_steps(batch, iterator)

    def from_python(iterator: Iterator) -> Callable[[], dict] | None:
        batches = list(itertools.islice(iterator, trainer.steps_per_execution))
        return (lambda: [step(batch) for batch in batches][-1]) if batches else None

    def function(iterator: Iterator) -> dict:
        is_tf = isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator))
        # For warn_of_unread_data alone: an iterator that is kept keeps threads and memory.
        is_kept = is_tf and not trainer.fit_data.length_is_known
        function.iterator = iterator if is_kept else None  # type: ignore[attr-defined]
        run = from_tf(iterator) if is_tf else from_python(iterator)
        if run is None:
            raise StopIteration
        trainer.loop.before_step()
        trainer.loop.is_stepping = True
        try:
            logs = run()
        finally:
            trainer.loop.is_stepping = False
        trainer.loop.after_step()
        return logs

    return function


def warn_of_unread_data(train_function: Callable) -> None:
    """Warns if the last epoch has ended before its data.

    For data of unknown length Keras takes the length of the first epoch for that of all others.

    Args:
        train_function: what the function of this name returned, which has run the epoch.
    """
    iterator = getattr(train_function, "iterator", None)
    train_function.iterator = None  # type: ignore[attr-defined]
    if iterator is not None and iterator.get_next_as_optional().has_value():
        warnings.warn(
            "The data of this epoch are longer than those of the first, and Keras leaves the rest "
            "of them. Give them a length (tf.data.experimental.assert_cardinality), or pass "
            "steps_per_epoch.",
            stacklevel=2,
        )


def _compiled(trainer: keras.Model) -> tuple[Callable, Callable]:
    """Two functions, compiled if the trainer is not to run eagerly.

    The first makes a step with a minibatch. The second makes steps with a minibatch, given as an
    optional, and then with those that an iterator still has, ``steps_per_execution`` in all.
    """

    def step(batch: Any) -> dict:
        # Where x, y or sample_weight is None, Keras passes an optional without a value.
        batch = keras.tree.map_structure(
            lambda leaf: None if isinstance(leaf, tf.experimental.Optional) else leaf, batch
        )
        return trainer.distribute_strategy.run(trainer.train_step, args=(batch,))

    steps = trainer.steps_per_execution
    if trainer.run_eagerly:

        def following_steps(batch: Any, iterator: Any) -> dict:
            logs = step(batch.get_value())
            for _ in range(steps - 1):
                batch = iterator.get_next_as_optional()
                if not batch.has_value():
                    break
                logs = step(batch.get_value())
            return logs

        return step, following_steps

    compiled_step = tf.function(
        step, reduce_retracing=True, jit_compile=trainer.jit_compile, autograph=False
    )

    @tf.function(reduce_retracing=True, autograph=False)
    def compiled_steps(batch: Any, iterator: Any) -> dict:
        logs = compiled_step(batch.get_value())
        if steps == 1:
            return logs
        batch = iterator.get_next_as_optional()

        def has_batch(number: tf.Tensor, batch: Any, logs: dict) -> tf.Tensor:
            return (number < steps) & batch.has_value()

        def one_more(number: tf.Tensor, batch: Any, logs: dict) -> tuple[tf.Tensor, Any, dict]:
            logs = compiled_step(batch.get_value())
            more = number + 1 < steps
            return number + 1, tf.cond(more, iterator.get_next_as_optional, lambda: batch), logs

        return tf.while_loop(has_batch, one_more, (tf.constant(1), batch, logs))[2]

    return compiled_step, compiled_steps
