"""The progress of a comparison on the terminal: a live table, or a line for each ended run."""

import contextlib
import datetime
import functools
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tq_halp.commands.compare.compared_run import DIVERGED, FAILED, MISSING, UNFINISHED, Run
from tq_halp.commands.compare.equal_budget import Rows, metrics_of
from tq_halp.commands.running.metrics import number, points

_EVERY = 1.0  # seconds between two readings of the files


class Progress(contextlib.AbstractContextManager):
    """An `Observer` that prints; a context, so that the cursor is restored."""

    def __init__(self, console: Console):
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._looked = 0.0
        self._running: set[Run] = set()
        self._seen: set[Run] = set()
        self._epochs = functools.cache(lambda run: run.config().train.epochs)

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def begun(self, run: Run) -> None:
        """Marks a run as running."""
        self._running.add(run)
        self._looked = 0.0

    def ended(self, run: Run) -> None:
        """Marks a run as ended; without a live table, prints its line."""
        self._running.discard(run)
        self._seen.add(run)
        self._looked = 0.0
        if self._live is None:
            cells = [cell for cell in self._cells(run) if cell]
            self._console.print(f"{run.name}: {', '.join(cells)}", highlight=False, soft_wrap=True)

    def update(self, wanted: list[Run]) -> None:
        """Draws the table again, at most once a second."""
        if self._live is None or time.monotonic() < self._looked + _EVERY:
            return
        self._looked = time.monotonic()
        over = sum(run in self._seen or run.outcome().is_final for run in wanted)
        table = Table(caption=f"{over} of {len(wanted)} runs are over", caption_justify="left")
        for heading in ("label", "seed", "tuned", "state", "progress", "validation", "time left"):
            table.add_column(heading)
        # Running ones first: a terminal may have too few lines for all.
        for run in sorted(wanted, key=lambda run: run not in self._running):
            table.add_row(run.label, str(run.seed), ", ".join(run.values), *self._cells(run))
        self._live.update(table, refresh=True)

    def _cells(self, run: Run) -> list[str]:
        """State, epoch, last validation value and time left of a run."""
        outcome = run.outcome()
        state = outcome.status
        if run in self._running:
            state = "running"
        elif run in self._seen and state == UNFINISHED:
            state = FAILED
        elif state == MISSING:
            state = FAILED if run in self._seen else "waiting"
        reason = run.reason(outcome) if state in (DIVERGED, FAILED) else None
        error = f" ({reason})" if reason else ""
        metric = metrics_of([outcome.rows])[0]
        values = points(outcome.rows, "epoch", metric.column)
        if not values:
            return [state + error, "", "", ""]
        epoch, value = values[-1]
        epochs = self._epochs(run)
        left = _left(outcome.rows, epochs) if state == "running" else ""
        return [state + error, f"epoch {epoch:g} of {epochs}", f"{metric.short} {value:.5g}", left]


def _left(rows: Rows, epochs: int) -> str:
    """The remaining time at the pace so far; "" if it is unknown."""
    epoch, seconds = number(rows[-1], "epoch"), number(rows[-1], "seconds")
    start = number(rows[0], "seconds")
    if not epoch or seconds is None or start is None:
        return ""
    return str(datetime.timedelta(seconds=round((seconds - start) / epoch * (epochs - epoch))))
