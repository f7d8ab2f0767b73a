"""The number of threads of a fit."""

from tq_halp.processor_info import usable_cores

# So many elements of X make another thread worth its cost.
PER_THREAD = 1 << 16


def thread_count(asked: int | None, elements: int) -> int:
    """The number of threads: as asked for, else one per PER_THREAD elements of X.

    At most the usable cores: threads of the inner loop wait for each other actively.
    """
    return min(usable_cores(), int(asked or 1 + elements // PER_THREAD))
