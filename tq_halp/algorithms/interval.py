"""When snapshots are taken: every epoch, every T steps, or at random."""

import numpy as np


def check_interval(snapshot_every):
    """ValueError unless it is "epoch", a positive number of steps or a probability (a float)."""
    is_count = isinstance(snapshot_every, int) and not isinstance(snapshot_every, bool)
    is_probability = isinstance(snapshot_every, float) and 0 < snapshot_every < 1
    if snapshot_every != "epoch" and not (is_count and snapshot_every >= 1 or is_probability):
        raise ValueError(
            "snapshot_every must be 'epoch', a positive number of steps or a probability. "
            f"Received: {snapshot_every!r}"
        )


def steps_of_segment(snapshot_every, steps_per_epoch, seed, step, steps_per_execution):
    """T, the number of steps from this snapshot to the next.

    Args:
        seed, step: what is drawn, with a probability, is a function of these.

    Raises:
        ValueError: Keras would not come back from its steps after T of them.
    """
    steps = steps_per_epoch
    if isinstance(snapshot_every, float):
        generator = np.random.Generator(np.random.Philox(key=[seed, step]))
        steps = int(generator.geometric(snapshot_every))
    elif snapshot_every != "epoch":
        steps = snapshot_every
    if steps % steps_per_execution:
        raise ValueError(
            f"A snapshot every {steps} steps cannot be taken with steps_per_execution="
            f"{steps_per_execution}: it must divide {steps}, e.g. 1."
        )
    return steps
