"""When snapshots are taken: every epoch, every T steps, or at random."""

from dataclasses import dataclass

import numpy as np

from tq_halp.errors import InputError


@dataclass(frozen=True)
class SnapshotSchedule:
    """When snapshots are taken, of which iterate, and from how many of the data.

    Args:
        every: "epoch"; T ≥ 1, an int, the number of steps from one to the next; or p, a float
            with 0 < p < 1, the probability with which one follows a step (loopless SVRG, Kovalev
            et al., arXiv 1901.08689).
        of: the "last" iterate (option I of Johnson & Zhang), or a uniformly "random" one since the
            snapshot before (option II).
        fraction: 0 < fraction ≤ 1, the share of the minibatches in a full gradient.
        start_after: the number of steps before the first.

    Raises:
        InputError: an argument is none of these.
    """

    every: str | int | float = "epoch"
    of: str = "last"
    fraction: float = 1.0
    start_after: int = 0

    def __post_init__(self):
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
        """T, the number of steps from the snapshot after ``step`` steps to the next.

        A snapshot after ``start_after`` steps comes in any case. What is drawn, with a
        probability, is a function of (seed, step).
        """
        steps = steps_per_epoch
        if isinstance(self.every, float):
            generator = np.random.Generator(np.random.Philox(key=[seed, step]))
            steps = int(generator.geometric(self.every))
        elif self.every != "epoch":
            steps = self.every
        return min(steps, self.start_after - step) if step < self.start_after else steps

    def count_in(self, steps: int, steps_per_epoch: int) -> float:
        """The expected number of snapshots in so many steps that begin with one."""
        if isinstance(self.every, float):
            return 1 + (steps - 1) * self.every if steps else 0
        every = steps_per_epoch if self.every == "epoch" else self.every
        return -(-steps // every)


def check_executions(steps: int, steps_per_execution: int) -> None:
    """InputError if Keras would not come back from its steps after that many of them."""
    if steps % steps_per_execution:
        raise InputError(
            f"A snapshot every {steps} steps cannot be taken with steps_per_execution="
            f"{steps_per_execution}: it must divide {steps}, e.g. 1."
        )


def _check_every(every):
    is_probability = isinstance(every, float) and 0 < every < 1
    if every != "epoch" and not (_is_count(every, 1) or is_probability):
        raise InputError(
            "snapshot_every must be 'epoch', a positive number of steps or a probability. "
            f"Received: {every!r}"
        )


def _is_count(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
