"""When snapshots are taken: every epoch, every T steps, or at random."""

import numpy as np

from tq_halp.errors import InputError


def check_interval(snapshot_every):
    """ValueError unless it is "epoch", a positive number of steps or a probability (a float)."""
    is_count = isinstance(snapshot_every, int) and not isinstance(snapshot_every, bool)
    is_probability = isinstance(snapshot_every, float) and 0 < snapshot_every < 1
    if snapshot_every != "epoch" and not (is_count and snapshot_every >= 1 or is_probability):
        raise InputError(
            "snapshot_every must be 'epoch', a positive number of steps or a probability. "
            f"Received: {snapshot_every!r}"
        )


def check_start(start_after):
    """InputError unless it is a number of steps."""
    if not isinstance(start_after, int) or isinstance(start_after, bool) or start_after < 0:
        raise InputError(
            f"start_after must be a number of steps, 0 or more. Received: {start_after!r}"
        )


def steps_of_segment(snapshot_every, steps_per_epoch, seed, step, start_after=0):
    """T, the number of steps from the snapshot after ``step`` steps to the next.

    Args:
        seed, step: what is drawn, with a probability, is a function of these.
        start_after: number of steps after which there is a snapshot in any case.
    """
    steps = steps_per_epoch
    if isinstance(snapshot_every, float):
        generator = np.random.Generator(np.random.Philox(key=[seed, step]))
        steps = int(generator.geometric(snapshot_every))
    elif snapshot_every != "epoch":
        steps = snapshot_every
    return min(steps, start_after - step) if step < start_after else steps


def check_executions(steps, steps_per_execution):
    """ValueError if Keras would not come back from its steps after that many of them."""
    if steps % steps_per_execution:
        raise InputError(
            f"A snapshot every {steps} steps cannot be taken with steps_per_execution="
            f"{steps_per_execution}: it must divide {steps}, e.g. 1."
        )
