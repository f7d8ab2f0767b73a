"""Seconds of several contenders that take turns, so that what disturbs one disturbs all."""

import math
import statistics
import time
from collections.abc import Callable, Mapping

# A turn shorter than this is filled with more calls.
SHORTEST_TURN = 2e-3
# Settled: the third fastest turn is within this factor of the fastest.
SETTLED = 1.05


def in_turn(
    tasks: Mapping[str, Callable[[], object]], turns: int, at_most: int | None = None
) -> dict[str, list[float]]:
    """Seconds per call of each task, one for each turn.

    After a call of each that does not count, all tasks take turns, in an order that is reversed
    from turn to turn. Where `at_most` is more than `turns`, turns are added until each task is
    settled or there are `at_most`.

    Compare the fastest turns (`ratio`): a disturbance only ever makes a turn longer, so the fastest
    one is the nearest to an undisturbed machine, and adding turns brings it nearer. The median of
    the ratios of adjacent turns spreads less on a busy machine, but about another value: what
    competes for memory slows a copy more than it slows arithmetic, and flatters the arithmetic.
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
    """The rate of one contender over that of the reference, at the fastest turn of each."""
    return min(reference) / min(seconds)


def median_ratio(reference: list[float], seconds: list[float]) -> float:
    """The same as the median over turns: on a quiet machine they agree."""
    return statistics.median(r / s for r, s in zip(reference, seconds, strict=True))


def _settled(seconds: list[float]) -> bool:
    return len(seconds) >= 3 and sorted(seconds)[2] <= SETTLED * min(seconds)
