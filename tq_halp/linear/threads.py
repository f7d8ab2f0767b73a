"""How many threads a fit is given."""

import os

# Elements of X that are worth a thread.
PER_THREAD = 1 << 16


def thread_count(asked: int | None, elements: int) -> int:
    """As many as asked for, or as the elements of X are worth, but no more than usable cores: the
    inner loop's threads wait for each other actively."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, int(asked or 1 + elements // PER_THREAD))
