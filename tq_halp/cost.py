"""What a run will cost, from a few real steps."""

import time

from tq_halp.experiment import Experiment


def planned_gradient_evaluations(experiment: Experiment) -> float:
    """Passes over the training data of the whole run.

    A step of SGD costs one minibatch gradient, a step of the SVRG kinds two; a snapshot one pass.
    """
    algorithm, epochs = experiment.config.algorithm, experiment.config.train.epochs
    if algorithm.name in ("sgd", "lp_sgd"):
        return float(epochs)
    snapshots = epochs
    if algorithm.snapshot_every != "epoch":
        steps = epochs * experiment.steps_per_epoch
        snapshots = -(-steps // algorithm.snapshot_every)
    return 2.0 * epochs + snapshots


def estimate_seconds(experiment: Experiment, steps: int = 3) -> float:
    """Seconds of training plus one evaluation an epoch; trains the experiment's model a little.

    Two short fits on the same few minibatches: the first one compiles, the second one is timed, and
    its time divided by the gradient evaluations it made is the price of one.
    """
    config, dataset = experiment.config, experiment.dataset
    steps = min(steps, experiment.steps_per_epoch)
    rows = steps * config.train.batch_size
    x, y = (array[:rows] for array in dataset.train)
    before = 0.0
    for _ in range(2):
        start = time.perf_counter()
        history = experiment.trainer.fit(x, y, batch_size=config.train.batch_size, verbose=0)
        seconds = time.perf_counter() - start
        evaluations = history.history["gradient_evaluations"][-1] - before
        before += evaluations
    passes = planned_gradient_evaluations(experiment)
    training = seconds / evaluations * (dataset.train_size / len(x)) * passes
    return training + (config.train.epochs + 1) * _seconds_of_evaluation(experiment)


def _seconds_of_evaluation(experiment: Experiment) -> float:
    size = experiment.validation_batch_size
    x, y = (array[: 3 * size] for array in experiment.dataset.validation)
    for _ in range(2):
        start = time.perf_counter()
        experiment.trainer.evaluate(x, y, batch_size=size, verbose=0)
        seconds = time.perf_counter() - start
    return seconds * len(experiment.dataset.validation[0]) / len(x)
