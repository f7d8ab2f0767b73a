"""What a run will cost, from a few real steps."""

import time

import keras

from tq_halp.algorithms import SVRG
from tq_halp.algorithms.batches import size_of_part
from tq_halp.commands.running.experiment import Experiment


def gradient_evaluations(trainer: keras.Model, epochs: int, steps_per_epoch: int) -> float:
    """Passes over the training data of a whole run; with random snapshots, the expected number.

    A step of SGD costs one minibatch gradient, a step of the SVRG kinds two while the correction's
    coefficient is not 0 (a schedule is taken not to be); a snapshot one pass, or its part of one.
    """
    if not isinstance(trainer, SVRG):
        return float(epochs)
    steps = epochs * steps_per_epoch
    plain = steps if trainer.coefficient == 0.0 else min(trainer.start_after, steps)
    every = steps_per_epoch if trainer.snapshot_every == "epoch" else trainer.snapshot_every
    snapshots = _snapshots(steps - plain, every)
    if trainer.needs_full_gradient_always:
        snapshots += _snapshots(plain, every)
    pass_of_snapshot = size_of_part(trainer.snapshot_fraction, steps_per_epoch)
    return (2 * steps - plain + snapshots * pass_of_snapshot) / steps_per_epoch


def _snapshots(steps: int, every: int | float) -> float:
    """Their expected number in so many steps that begin with one, if there are any."""
    if isinstance(every, float):
        return 1 + (steps - 1) * every if steps else 0
    return -(-steps // every)


def planned_gradient_evaluations(experiment: Experiment) -> float:
    """Passes over the training data of `experiment`."""
    epochs = experiment.config.train.epochs
    return gradient_evaluations(experiment.trainer, epochs, experiment.steps_per_epoch)


def estimate_seconds(experiment: Experiment, steps: int = 3) -> float:
    """Seconds of training plus one evaluation an epoch; trains the experiment's model a little.

    Timed are two short fits, of `steps` and of three times as many minibatches, after one that
    compiles. Their difference is free of what every fit costs once, so divided by the minibatch
    gradients that it took it is the price of one of them.
    """
    train = experiment.config.train
    short, long = (min(count, experiment.steps_per_epoch) for count in (steps, 3 * steps))
    _fit(experiment, short)
    (quick, few), (slow, many) = _fit(experiment, short), _fit(experiment, long)
    price = slow / many
    if many > few and slow > quick:
        price = (slow - quick) / (many - few)
    planned = planned_gradient_evaluations(experiment) * experiment.steps_per_epoch
    return price * planned + (train.epochs + 1) * _seconds_of_evaluation(experiment)


def _fit(experiment: Experiment, steps: int) -> tuple[float, float]:
    """Seconds of an epoch of so many minibatches, and the minibatch gradients that it took."""
    size, trainer = experiment.config.train.batch_size, experiment.trainer
    x, y = (array[: steps * size] for array in experiment.dataset.train)
    start, before = time.perf_counter(), trainer.gradient_samples()
    trainer.fit(x, y, batch_size=size, verbose=0)
    return time.perf_counter() - start, (trainer.gradient_samples() - before) / size


def _seconds_of_evaluation(experiment: Experiment) -> float:
    size = experiment.validation_batch_size
    x, y = (array[: 3 * size] for array in experiment.dataset.validation)
    for _ in range(2):  # The first one compiles.
        start = time.perf_counter()
        experiment.trainer.evaluate(x, y, batch_size=size, verbose=0)
        seconds = time.perf_counter() - start
    return seconds * len(experiment.dataset.validation[0]) / len(x)
