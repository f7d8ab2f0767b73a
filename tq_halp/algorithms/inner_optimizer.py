"""The optimizer that moves a variable, inside those that scale its loss, round its slots, share it.

What HALP must know of it is how far a step goes, and whether it decays the weight itself.
"""

import keras

from tq_halp.keras_internals.optimizers import decays_weight, moved_variables


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that others, which scale its loss or quantize its slots, are around."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def optimizers(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Those that move variables: the innermost, or those of a ``MultiOptimizer``."""
    optimizer = innermost(optimizer)
    # Keras has MultiOptimizer from 3.12 on.
    return [innermost(each) for each in getattr(optimizer, "optimizers", None) or [optimizer]]


def optimizer_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable):
    """The one that moves ``variable``, of an ``optimizer`` that is built."""
    candidates = optimizers(optimizer)
    if len(candidates) == 1:
        return candidates[0]
    return next(each for each in candidates if _moves(each, variable))


def _moves(optimizer, variable):
    return optimizer.built and any(each is variable for each in moved_variables(optimizer))


def uses_ema(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the weights become moving averages of themselves when ``fit`` ends."""
    return any(each.use_ema for each in optimizers(optimizer))


def step_size(optimizer: keras.optimizers.Optimizer) -> float:
    """How far a gradient of 1 that stays moves a weight in a step: α / (1 − momentum)."""
    momentum = float(getattr(optimizer, "momentum", 0.0) or 0.0)
    return float(optimizer.learning_rate) / (1.0 - min(momentum, 0.999))


def decay_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> float:
    """λ of the decoupled decay w ← w − αλw of ``variable``; 0 where there is none."""
    decay = optimizer.weight_decay or 0.0
    return decay if decay and decays_weight(optimizer, variable) else 0.0
