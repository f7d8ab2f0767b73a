"""SIGINT and SIGTERM as a request to stop, so that Ctrl-C loses no work."""

import signal
from collections.abc import Callable


class StopOnSignal:
    """A context in which SIGINT and SIGTERM request a stop; a second signal interrupts at once.

    with StopOnSignal(announce) as stop:
        while not stop.requested: ...

    The previous handlers are restored afterwards. Use it in the main thread, as `signal` demands.

    Args:
        announce: called once, with the signal's name, at the first signal.
        may_stop_now: whether the first signal may interrupt at once, because the current work can
            be thrown away and nobody would check `requested` before it ends.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(
        self,
        announce: Callable[[str], object] = lambda name: None,
        may_stop_now: Callable[[], bool] = lambda: False,
    ) -> None:
        self.requested = False
        self._announce = announce
        self._may_stop_now = may_stop_now

    def __enter__(self) -> "StopOnSignal":
        self._former = {number: signal.signal(number, self._handle) for number in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._announce(signal.Signals(number).name)
        if self._may_stop_now():
            raise KeyboardInterrupt
