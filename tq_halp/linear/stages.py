"""How long each stage of a fit takes."""

import time


class Stages:
    """Seconds by stage, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def ended(self, name: str) -> None:
        """A stage has ended: it took the time since the one before."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now

    def moved(self, stage: str, part: str, seconds: float) -> None:
        """So many seconds of a stage are those of a stage of their own."""
        self.seconds[stage] -= seconds
        self.seconds[part] = seconds

    def total(self) -> float:
        """Seconds of all stages so far."""
        return sum(self.seconds.values())
