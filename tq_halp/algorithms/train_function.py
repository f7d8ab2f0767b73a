"""One execution: the steps between two moments at which Keras looks at its callbacks.

Keras' own train function takes its batch inside the compiled graph. At the end of data of unknown
length it runs that graph once more, to learn that nothing is left, and whatever does not depend on
the batch happens all the same: counters advance, the optimizer's step count too. Here the batch is
taken first. So there is a step, and what comes before and after one, only where there is a batch;
and ``train_on_batch``, which calls no callbacks, has them as ``fit`` does.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf


def train_function(trainer: keras.Model) -> Callable[[Iterator], dict]:
    """The train function of a trainer that is on one replica.

    Args:
        trainer: a ``Trainer``, compiled.

    Returns:
        A function of an iterator of batches, which takes up to ``steps_per_execution`` of them and
        returns the logs of the last. It calls ``before_step`` before its first and ``after_step``
        after its last step, and raises ``StopIteration`` where there is none.
    """
    step, following_steps = _compiled(trainer)

    def from_tf(iterator):
        batch = iterator.get_next_as_optional()
        if not batch.has_value():
            return None
        return lambda: following_steps(batch, iterator)

    def from_python(iterator):
        batches = list(itertools.islice(iterator, trainer.steps_per_execution))
        return (lambda: [step(batch) for batch in batches][-1]) if batches else None

    def function(iterator):
        is_tf = isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator))
        function.iterator = iterator if is_tf else None
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


def warn_of_what_is_left(train_function) -> None:
    """Warn if an epoch of such a function has ended before its data.

    Keras takes the number of steps of the first epoch, and the one in which it found the end, for
    the length of all data of unknown length.
    """
    iterator = getattr(train_function, "iterator", None)
    if iterator is not None and iterator.get_next_as_optional().has_value():
        warnings.warn(
            "The data of this epoch are longer than those of the first, and Keras leaves the rest "
            "of them. Give them a length (tf.data.experimental.assert_cardinality), or pass "
            "steps_per_epoch.",
            stacklevel=2,
        )


def _compiled(trainer):
    """A step on a batch, and the steps on a batch (an optional) and those that an iterator has."""

    def step(batch):
        # Keras hands None over as an optional.
        batch = keras.tree.map_structure(
            lambda leaf: None if isinstance(leaf, tf.experimental.Optional) else leaf, batch
        )
        return trainer.distribute_strategy.run(trainer.train_step, args=(batch,))

    steps = trainer.steps_per_execution
    if trainer.run_eagerly:

        def following_steps(batch, iterator):
            logs = step(batch.get_value())
            for _ in range(steps - 1):
                batch = iterator.get_next_as_optional()
                if not batch.has_value():
                    break
                logs = step(batch.get_value())
            return logs

        return step, following_steps

    step = tf.function(
        step, reduce_retracing=True, jit_compile=trainer.jit_compile, autograph=False
    )

    @tf.function(reduce_retracing=True, autograph=False)
    def following_steps(batch, iterator):
        logs = step(batch.get_value())
        if steps == 1:
            return logs
        batch = iterator.get_next_as_optional()

        def has_batch(number, batch, logs):
            return (number < steps) & batch.has_value()

        def one_more(number, batch, logs):
            logs = step(batch.get_value())
            more = number + 1 < steps
            return number + 1, tf.cond(more, iterator.get_next_as_optional, lambda: batch), logs

        return tf.while_loop(has_batch, one_more, (tf.constant(1), batch, logs))[2]

    return step, following_steps
