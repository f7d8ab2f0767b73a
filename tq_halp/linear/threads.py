"""How many threads a fit is given."""

from tq_halp.cpu import usable_cores

# Elements of X that are worth a thread.
PER_THREAD = 1 << 16


def thread_count(asked: int | None, elements: int) -> int:
    """As many as asked for, or as the elements of X are worth, but no more than usable cores: the
    inner loop's threads wait for each other actively."""
    return min(usable_cores(), int(asked or 1 + elements // PER_THREAD))
