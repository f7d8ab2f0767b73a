"""What a run will cost, from a few real steps."""

import time

from tq_halp.config import Algorithm
from tq_halp.running.experiment import Experiment


def gradient_evaluations(algorithm: Algorithm, epochs: int, steps_per_epoch: int) -> float:
    """Passes over the training data of a whole run.

    A step of SGD costs one minibatch gradient, a step of the SVRG kinds two; a snapshot one pass.
    """
    if algorithm.name in ("sgd", "lp_sgd", "swalp"):
        return float(epochs)
    snapshots = epochs
    if algorithm.snapshot_every != "epoch":
        snapshots = -(-epochs * steps_per_epoch // algorithm.snapshot_every)
    return 2.0 * epochs + snapshots


def planned_gradient_evaluations(experiment: Experiment) -> float:
    """Passes over the training data of `experiment`."""
    config = experiment.config
    return gradient_evaluations(config.algorithm, config.train.epochs, experiment.steps_per_epoch)


def estimate_seconds(experiment: Experiment, steps: int = 3) -> float:
    """Seconds of training plus one evaluation an epoch; trains the experiment's model a little.

    Timed are two short fits, of `steps` and of three times as many minibatches, after one that
    compiles. Their difference is free of what every fit costs once, so divided by the minibatch
    gradients it stands for it is the price of one of them.
    """
    train = experiment.config.train
    short, long = (min(count, experiment.steps_per_epoch) for count in (steps, 3 * steps))
    _seconds_of_fit(experiment, short)
    quick, slow = _seconds_of_fit(experiment, short), _seconds_of_fit(experiment, long)
    price = slow / _minibatch_gradients(experiment, long)
    if long > short and slow > quick:
        more = _minibatch_gradients(experiment, long) - _minibatch_gradients(experiment, short)
        price = (slow - quick) / more
    planned = planned_gradient_evaluations(experiment) * experiment.steps_per_epoch
    return price * planned + (train.epochs + 1) * _seconds_of_evaluation(experiment)


def _minibatch_gradients(experiment: Experiment, steps: int) -> float:
    """Minibatch gradients that one epoch over `steps` minibatches takes."""
    return steps * gradient_evaluations(experiment.config.algorithm, 1, steps)


def _seconds_of_fit(experiment: Experiment, steps: int) -> float:
    size = experiment.config.train.batch_size
    x, y = (array[: steps * size] for array in experiment.dataset.train)
    start = time.perf_counter()
    experiment.trainer.fit(x, y, batch_size=size, verbose=0)
    return time.perf_counter() - start


def _seconds_of_evaluation(experiment: Experiment) -> float:
    size = experiment.validation_batch_size
    x, y = (array[: 3 * size] for array in experiment.dataset.validation)
    for _ in range(2):  # The first one compiles.
        start = time.perf_counter()
        experiment.trainer.evaluate(x, y, batch_size=size, verbose=0)
        seconds = time.perf_counter() - start
    return seconds * len(experiment.dataset.validation[0]) / len(x)
