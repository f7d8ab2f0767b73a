"""What the gradient at the center says of each tensor, as the rules for the range want it."""

from typing import Any

import keras
import numpy as np

from tq_halp.algorithms.algorithm_part import Part
from tq_halp.algorithms.inner_optimizer import decay_of, optimizer_of, step_size
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups


def directions(part: Part) -> list[Any]:
    """The gradient of the whole objective at w̃: g̃, plus λw̃ if the optimizer decays weights."""
    found: list[Any] = []
    optimizer: keras.optimizers.Optimizer = part.trainer.optimizer
    for full, center, variable in zip(
        part.snapshots.full_gradient, part.snapshots.center, part.weights, strict=True
    ):
        decay = decay_of(optimizer_of(optimizer, variable), variable)
        found.append(full.value + decay * center.value if decay else full)
    return found


def norms(part: Part, groups: ScaleGroups) -> np.ndarray:
    """‖g̃‖₂ of each group, (G,)."""
    (squares,) = groups.each(lambda g, _: [np.square(g)], directions(part))
    return np.sqrt(squares)


def drifts(part: Part) -> list[float]:
    """How far a constant gradient of 1 moves each tensor in two steps."""
    moved_by = (optimizer_of(part.trainer.optimizer, v) for v in part.weights)
    return [2 * step_size(optimizer) for optimizer in moved_by]
