"""The outer epochs of a fit: adaptive learning rate, records, and when to stop."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quant_ops import LinearSolver
from tq_halp.errors import InputError
from tq_halp.linear.column_scaling import Units

# Their pass over all the data only measures the epoch, so its time is not counted.
WITHOUT_SNAPSHOTS = ("sgd", "lp_sgd")
CENTERED = ("halp",)

_PROGRESS = 1e-3  # least progress: of the best gradient norm, or of the loss' whole decrease


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the outer epochs are run, and when they end."""

    algorithm: str
    learning_rate: float
    growth: float | None  # largest factor of the learning rate; None keeps the rate constant
    steps: int  # inner steps per epoch
    mu: float | None  # HALP's scale parameter; None chooses the scale
    word_bits: int
    epochs: int
    tolerance: float  # the gradient norm at which training ends
    patience: int  # epochs without progress
    n_threads: int
    callback: Callable[[dict], object] | None
    units: Units  # of the records that the user sees


def train(solver: LinearSolver, schedule: Schedule) -> tuple[list[dict], str]:
    """Runs outer epochs until the gradient is small, progress ends or `epochs` are done.

    Returns:
        (records, reason): the dicts of `record` in the user's units, the first of the start; and
        what ended training: "tolerance", "no_progress", "callback" or "epochs".

    Raises:
        InputError: the loss or gradient is not finite: the learning rate is too large, or mu too
            small.
    """
    history = [record(0, solver.measurement, 0.0, None, schedule)]
    told = [schedule.units.told(history[0])]
    progress = Progress(schedule.patience)
    rate = AdaptiveRate(schedule.learning_rate, schedule.growth or 1.0)
    while (reason := _finished(history, schedule, progress)) is None:
        measured = solver.epoch(
            rate.rate, schedule.steps, mu=schedule.mu, n_threads=schedule.n_threads
        )
        history.append(record(len(history), measured, rate.rate, history[-1], schedule))
        told.append(schedule.units.told(history[-1]))
        if schedule.growth is not None:
            rate.saw(history[-2], history[-1], progress.epochs_without)
        if schedule.callback is not None and _is_true(schedule.callback(dict(told[-1]))):
            return told, "callback"
    return told, reason


def record(
    epoch: int, measured: dict, rate: float, before: dict | None, schedule: Schedule
) -> dict:
    """The record of an outer epoch, measured at the iterate where it ends, in the solver's units.

    `seconds` is the time of the inner steps and, for algorithms with snapshots, of the pass over
    all data that gives the next epoch's full gradient. `mu` is ‖g̃‖ / (δ (2^(b−1) − 1)) of HALP's
    grid, given or chosen; None for other algorithms.
    """
    seconds = measured["inner_seconds"]
    if schedule.algorithm not in WITHOUT_SNAPSHOTS:
        seconds += measured["gradient_seconds"]
    mu = None
    if schedule.algorithm in CENTERED and before is not None and measured["scale"] > 0:
        box = measured["scale"] * (2 ** (schedule.word_bits - 1) - 1)
        mu = before["gradient_norm"] / box
    return {
        "epoch": epoch,
        "loss": float(measured["loss"]),
        "gradient_norm": float(measured["gradient_norm"]),
        "seconds": float(seconds),
        "inner_seconds": float(measured["inner_seconds"]),
        "gradient_seconds": float(measured["gradient_seconds"]),
        "learning_rate": float(rate),
        "scale": float(measured["scale"]),
        "saturated": float(measured["saturated"]),
        "mu": mu,
    }


class AdaptiveRate:
    """The learning rate: raised after an epoch that lowered loss and gradient, halved if both rose.

    The rate that smoothness guarantees suits the worst curvature. A logistic loss has less near its
    minimum, so the largest rate that works is searched for. The rules:

    * loss fell and the gradient norm fell, but not below half: times 1.5, and times 1.2 from the
      first failure on. An epoch that more than halved the norm changes nothing.
    * neither fell: times 0.5.
    * the norm rose by more than half: that rate was unstable. Its 0.6-fold is the limit from then
      on, and grows by 1 % per epoch.
    * every third epoch without progress: rate and limit times 0.5, for noise is then as large as
      the remaining gradient.
    * always between a 16th of the start and `most` times the start.

    Both loss and norm are needed. The norm alone is too careful: it shows the noise along the
    steepest directions, while the loss still falls along the flat ones. The loss alone stops at its
    rounding.
    """

    def __init__(self, start: float, most: float):
        self.rate = start
        self._lowest, self._most = start / 16, most * start
        self._limit, self._growth = self._most, 1.5

    def saw(self, before: dict, after: dict, without_progress: int = 0) -> None:
        """Updates `rate` after an epoch.

        Args:
            before, after: the records of the epoch before and of the epoch.
            without_progress: epochs since the last progress.
        """
        ratio = after["gradient_norm"] / before["gradient_norm"]
        falls = after["loss"] < before["loss"]
        self._limit = min(1.01 * self._limit, self._most)
        if ratio > 1.5:
            self._limit = 0.6 * self.rate
        factor = 1.0
        if without_progress % 3 == 2:
            factor, self._growth = 0.5, 1.2
            self._limit = 0.5 * self.rate
        elif ratio >= 1 and not falls:
            factor, self._growth = 0.5, 1.2
        elif 0.5 < ratio < 1 and falls:
            factor = self._growth
        self.rate = max(min(factor * self.rate, self._limit), self._lowest)


class Progress:
    """Counts the epochs since the last progress: a new best gradient norm or loss.

    Noise sets new records too, ever more rarely, so small improvements do not count as progress. An
    epoch in which both fell is not counted: after a learning rate that was too large, the way back
    to the best values may be long.
    """

    def __init__(self, patience: int):
        self._patience = patience
        self._start = self._loss = self._norm = np.inf
        self.epochs_without = 0
        self._before = np.inf, np.inf

    def has_ended(self, loss: float, norm: float) -> bool:
        """Whether `patience` epochs passed without progress; call it after each epoch."""
        if self._start == np.inf:
            self._start = loss
        if not (loss < self._before[0] and norm < self._before[1]):
            self.epochs_without += 1
        self._before = loss, norm
        if norm < (1 - _PROGRESS) * self._norm:
            self._norm, self.epochs_without = norm, 0
        if self._loss - loss > _PROGRESS * (self._start - loss):
            self._loss, self.epochs_without = loss, 0
        return self.epochs_without >= self._patience


def _is_true(answer: object) -> bool:
    """Whether a callback returned True; other values, such as None, go on."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def _finished(history: list[dict], schedule: Schedule, progress: Progress) -> str | None:
    """What ends training after the last record, or None.

    Raises:
        InputError: the last loss or gradient norm is not finite.
    """
    last = history[-1]
    loss, norm = last["loss"], last["gradient_norm"]
    if not (np.isfinite(loss) and np.isfinite(norm)):
        raise InputError(_divergence(schedule, last))
    if norm <= schedule.tolerance:
        return "tolerance"
    if progress.has_ended(loss, norm):
        return "no_progress"
    return "epochs" if last["epoch"] >= schedule.epochs else None


def _divergence(schedule: Schedule, last: dict) -> str:
    """The message for a fit that diverged: which of mu and the learning rate to change."""
    rate = schedule.units.told(last)["learning_rate"]
    must, received, instead = [], [], []
    if schedule.mu is not None:
        must.append("mu must be large enough")
        received.append(f"{schedule.mu / schedule.units.feature**2:g}")
        instead.append("larger")
    if schedule.mu is None or schedule.growth is None:
        must.append("learning_rate must be small enough")
        received.append(f"{rate:g}")
        instead.append("smaller")
    return (
        f"{' and '.join(must)} to converge. Received: {' and '.join(received)}: the loss is "
        f"{last['loss']} after {last['epoch']} epochs; use 'auto' or a {' and a '.join(instead)} "
        "one"
    )
