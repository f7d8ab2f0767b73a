"""Everything that decides how training goes on, out of a trainer and back into one."""

from collections.abc import Sequence

import keras
import numpy as np

from tq_halp.algorithms.rnn_states import stateful_variables


def variables_of(trainer: keras.Model) -> list[keras.Variable]:
    """All variables of the model, of the algorithm, of the optimizer and of the metrics, once each.

    Among them: weights, statistics, the states of seed generators and of stateful RNNs, counters of
    random bits, clocks of schedules; an algorithm's center, offset, gradients, scales, candidate;
    step counts and slots; the sums behind the epoch's metrics.
    """
    every = (
        *trainer.variables,
        *stateful_variables(trainer.model),
        *trainer.optimizer.variables,
        *trainer.metrics_variables,
        *trainer.states.of_data().values(),
    )
    return list({id(variable): variable for variable in every}.values())


def host_state(trainer: keras.Model) -> dict:
    """The plain numbers beside them, which the trainer's parts declare."""
    return trainer.states.numbers()


def is_finite(trainer: keras.Model) -> bool:
    """Whether every weight is a number; one pass over them on the host."""
    return all(np.isfinite(variable.numpy()).all() for variable in trainer.trainable_variables)


def mismatch(trainer: keras.Model, arrays: Sequence[np.ndarray]) -> str:
    """Why the arrays cannot be the variables of `trainer`, in words; empty if they can."""
    variables = variables_of(trainer)
    if len(arrays) != len(variables):
        return f"holds {len(arrays)} variables, this version has {len(variables)}"
    for variable, array in zip(variables, arrays, strict=True):
        if (array.dtype.name, array.shape) != (variable.dtype, tuple(variable.shape)):
            expected = f"{variable.dtype} {tuple(variable.shape)}"
            return f"holds {array.dtype} {array.shape} for {variable.path}, which is {expected}"
    return ""


def restore(trainer: keras.Model, arrays: Sequence[np.ndarray], host: dict) -> None:
    """Put back what `variables_of` and `host_state` gave."""
    for variable, array in zip(variables_of(trainer), arrays, strict=True):
        variable.assign(array)
    trainer.states.set_numbers(host)
