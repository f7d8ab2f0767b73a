"""``SnapshotSchedule``: when snapshots are taken, every epoch, every T steps, or at random."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tq_halp.errors import InputError

#: More steps than any training has.
FOREVER = 2**40


@dataclass(frozen=True)
class SnapshotSchedule:
    """When snapshots are taken, of which iterate, and from how many of the data.

    Args:
        every: "epoch"; or T, an int from 1, the number of steps between two snapshots; or p, a
            float with 0 < p < 1, the probability that a snapshot follows a step (loopless SVRG,
            Kovalev et al., arXiv 1901.08689).
        of: the "last" iterate (option I of Johnson & Zhang, NIPS 2013), or a uniformly "random" one
            of those since the last snapshot (option II).
        fraction: 0 < fraction ≤ 1, the share of the minibatches in a full gradient.
        start_after: S, the number of steps before the first snapshot.

    Raises:
        InputError: an argument is not one of the above.
    """

    every: str | int | float = "epoch"
    of: str = "last"
    fraction: float = 1.0
    start_after: int = 0

    def __post_init__(self) -> None:
        _check_every(self.every)
        if not _is_count(self.start_after, 0):
            raise InputError(
                f"start_after must be a number of steps, 0 or more. Received: {self.start_after!r}"
            )
        if self.of not in ("last", "random"):
            raise InputError(f"iterate must be 'last' or 'random'. Received: {self.of!r}")
        is_number = isinstance(self.fraction, (int, float)) and self.fraction is not True
        if not (is_number and 0 < self.fraction <= 1):
            raise InputError(
                "snapshot_fraction must be a number above 0 and at most 1. "
                f"Received: {self.fraction!r}"
            )

    def steps_from(self, step: int, steps_per_epoch: int, seed: int) -> int:
        """T, the number of steps from a snapshot after ``step`` steps to the next one.

        With a probability p, T has a geometric distribution of mean 1/p and is a function of
        (seed, step). There is always a snapshot after exactly ``start_after`` steps.
        """
        steps = steps_per_epoch
        if isinstance(self.every, float):
            generator = np.random.Generator(np.random.Philox(key=[seed, step]))
            steps = int(generator.geometric(self.every))
        elif isinstance(self.every, int):
            steps = self.every
        return min(steps, self.start_after - step) if step < self.start_after else steps

    def count_in(self, steps: int, steps_per_epoch: int) -> float:
        """The expected number of snapshots in ``steps`` steps, the first of which needs one."""
        if isinstance(self.every, float):
            return 1 + (steps - 1) * self.every if steps else 0
        every = self.every if isinstance(self.every, int) else steps_per_epoch
        return -(-steps // every)


def check_executions(steps: int, steps_per_execution: int) -> None:
    """Raises InputError unless an execution of Keras ends after ``steps`` steps."""
    if steps % steps_per_execution:
        raise InputError(
            f"A snapshot every {steps} steps cannot be taken with steps_per_execution="
            f"{steps_per_execution}: it must divide {steps}, e.g. 1."
        )


def _check_every(every: Any) -> None:
    is_probability = isinstance(every, float) and 0 < every < 1
    if every != "epoch" and not (_is_count(every, 1) or is_probability):
        raise InputError(
            "snapshot_every must be 'epoch', a positive number of steps or a probability. "
            f"Received: {every!r}"
        )


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
