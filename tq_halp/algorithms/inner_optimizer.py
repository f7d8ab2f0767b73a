"""Finds the optimizer that moves a variable, and what HALP must know about it.

An optimizer may be inside others: ``LossScaleOptimizer``, ``QuantizedOptimizer`` (which rounds its
slots), ``MultiOptimizer``. HALP must know how far a step goes, and whether it decays the weights.
"""

import keras

from tq_halp.keras_internals.optimizers import decays_weight, moved_variables


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside those that scale its loss or round its slots."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def rounds_slots(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer around another one, or around several, rounds their slots."""
    while hasattr(optimizer, "inner_optimizer"):
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return True
        optimizer = optimizer.inner_optimizer
    return any(map(rounds_slots, getattr(optimizer, "optimizers", None) or []))


def optimizers(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The optimizers that move variables: one, or several of a ``MultiOptimizer``."""
    optimizer = innermost(optimizer)
    # Keras has MultiOptimizer from 3.12 on.
    return [innermost(each) for each in getattr(optimizer, "optimizers", None) or [optimizer]]


def optimizer_of(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable
) -> keras.optimizers.Optimizer:
    """The one of ``optimizers(optimizer)`` that moves ``variable``; ``optimizer`` is built."""
    candidates = optimizers(optimizer)
    if len(candidates) == 1:
        return candidates[0]
    return next(each for each in candidates if _moves(each, variable))


def _moves(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    return optimizer.built and any(each is variable for each in moved_variables(optimizer))


def uses_ema(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether Keras sets the weights to their moving averages when ``fit`` ends."""
    return any(each.use_ema for each in optimizers(optimizer))


def step_size(optimizer: keras.optimizers.Optimizer) -> float:
    """α / (1 − momentum): how far a constant gradient of 1 moves a weight in a step."""
    momentum = float(getattr(optimizer, "momentum", 0.0) or 0.0)
    return float(optimizer.learning_rate) / (1.0 - min(momentum, 0.999))


def decay_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> float:
    """λ of the optimizer's weight decay, w ← w − αλw, for ``variable``; 0 if it has none."""
    decay = optimizer.weight_decay or 0.0
    return decay if decay and decays_weight(optimizer, variable) else 0.0
