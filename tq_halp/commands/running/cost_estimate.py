"""What a run will cost, from a few real steps."""

import time

from tq_halp.commands.running.experiment import Experiment


def planned_gradient_evaluations(experiment: Experiment) -> float:
    """Passes over the training data of `experiment`."""
    epochs = experiment.config.train.epochs
    return experiment.trainer.loop.planned_gradient_evaluations(epochs, experiment.steps_per_epoch)


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
    start, before = time.perf_counter(), trainer.loop.gradient_samples()
    trainer.fit(x, y, batch_size=size, verbose=0)
    return time.perf_counter() - start, (trainer.loop.gradient_samples() - before) / size


def _seconds_of_evaluation(experiment: Experiment) -> float:
    size = experiment.validation_batch_size
    x, y = (array[: 3 * size] for array in experiment.dataset.validation)
    for _ in range(2):  # The first one compiles.
        start = time.perf_counter()
        experiment.trainer.evaluate(x, y, batch_size=size, verbose=0)
        seconds = time.perf_counter() - start
    return seconds * len(experiment.dataset.validation[0]) / len(x)
