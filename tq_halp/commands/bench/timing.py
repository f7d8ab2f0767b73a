"""Times several tasks in turns, so that a disturbance of the machine affects all of them."""

import math
import statistics
import time
from collections.abc import Callable, Mapping

# Seconds; a shorter turn is repeated within the turn.
SHORTEST_TURN = 2e-3
# Times have settled when the third fastest turn is within this factor of the fastest.
SETTLED = 1.05


def in_turn(
    tasks: Mapping[str, Callable[[], object]], turns: int, at_most: int | None = None
) -> dict[str, list[float]]:
    """Seconds per call of each task, one number for each turn.

    After one call of each that does not count, all tasks take turns, in an order that is reversed
    from turn to turn. If `at_most` exceeds `turns`, turns are added until every task has settled or
    there are `at_most`.

    Compare the fastest turns (`ratio`). A disturbance only makes a turn longer, so the fastest one
    is the nearest to an undisturbed machine, and more turns bring it nearer. The median of the
    ratios of adjacent turns spreads less on a busy machine, but around another value: competition
    for memory slows a copy more than it slows arithmetic, and so flatters the arithmetic.
    """
    for task in tasks.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    calls = dict.fromkeys(tasks, 1)
    for turn in range(max(turns, at_most or 0)):
        if turn >= turns and all(map(_settled, seconds.values())):
            break
        for name in list(tasks)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            for _ in range(calls[name]):
                tasks[name]()
            each = (time.perf_counter() - start) / calls[name]
            seconds[name].append(each)
            calls[name] = max(calls[name], math.ceil(SHORTEST_TURN / each))
    return seconds


def ratio(reference: list[float], seconds: list[float]) -> float:
    """The rate over the reference's rate, each at its fastest turn."""
    return min(reference) / min(seconds)


def median_ratio(reference: list[float], seconds: list[float]) -> float:
    """The same as a median over turns; on a quiet machine the two agree."""
    return statistics.median(r / s for r, s in zip(reference, seconds, strict=True))


def _settled(seconds: list[float]) -> bool:
    """Whether the third fastest turn is within SETTLED of the fastest."""
    return len(seconds) >= 3 and sorted(seconds)[2] <= SETTLED * min(seconds)
