"""``train_function``: runs the steps between two calls of Keras' callbacks (one execution).

Keras' own train function takes the minibatch inside the compiled graph. To find out that data of
unknown length have ended, it runs the graph once more without a minibatch, and whatever does not
depend on the minibatch happens nevertheless: step counters advance, the optimizer's too. The one
here takes the minibatch first, and runs a step and its hooks only if there is one. It calls the
hooks itself: ``train_on_batch`` calls no callbacks.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf


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
        # For warn_of_unread_data.
        function.iterator = iterator if is_tf else None  # type: ignore[attr-defined]
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
