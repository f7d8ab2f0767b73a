"""Outer epochs until the gradient is small, nothing improves any more, or enough were run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tq_halp.errors import InputError
from tq_halp.linear.power_of_two_units import Units

# Without an anchor the pass over all the data only measures, so its time is not the algorithm's.
WITHOUT_SNAPSHOTS = ("sgd", "lp_sgd")
CENTERED = ("halp",)

_PROGRESS = 1e-3  # of the best gradient norm, or of the whole decrease of the loss


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How outer epochs are run, and when they end."""

    algorithm: str
    learning_rate: float
    growth: float | None  # of the learning rate, at most; None keeps it as it is
    steps: int  # inner steps of an epoch
    mu: float | None  # HALP's scale parameter; None chooses the scale
    word_bits: int
    epochs: int
    tolerance: float  # a gradient norm
    patience: int  # epochs without progress
    n_threads: int
    callback: Callable[[dict], object] | None
    units: Units  # in which records are told


def train(solver, schedule: Schedule):
    """Runs the solver's outer epochs.

    Returns:
        (told, reason): the records of `record` in the user's units, that of the start first; and
        what ended it, "tolerance", "no_progress", "callback" or "epochs".

    Raises:
        InputError: the iterate became infinite: the learning rate is too large.
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
    """What is told of an outer epoch, measured at the iterate that it ends with.

    `seconds` are those of the inner steps and, where the algorithm uses it, of the pass over all
    the data that gives the next epoch's full gradient. `mu` is ‖g̃‖ / (δ (2^(b−1) − 1)) of HALP's
    grid, given or chosen; None elsewhere.
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
    """More after an epoch that lowered loss and gradient, half after one that raised both.

    The rate that smoothness allows is what the worst curvature needs, and a logistic loss has less
    where it is minimal: the largest rate that works is found by trying, by halves as much again
    until the first that does not, by fifths from then on. An epoch that lowered the gradient's norm
    to less than half is left alone. One that raised it by half was beyond the stable rates: three
    fifths of its rate are the most from then on, and a hundredth more per epoch. Every third epoch
    without progress halves the rate and the most: noise is as large as what is left. All between a
    16th of the start and `most` times it.

    The gradient's norm alone would be too careful: it is that of the steepest directions' noise,
    while the loss falls along the flat ones. The loss alone ends at its own rounding.
    """

    def __init__(self, start: float, most: float):
        self.rate = start
        self._lowest, self._most = start / 16, most * start
        self._limit, self._growth = self._most, 1.5

    def saw(self, before: dict, after: dict, without_progress: int = 0) -> None:
        """The records of an epoch and of the one before it, and epochs since the best."""
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
    """Whether there were `patience` epochs since the best gradient norm or the best loss.

    Noise makes new records too, ever more rarely: small ones do not count. Nor do epochs in which
    both fell: after a learning rate that was too large it may be a long way back.
    """

    def __init__(self, patience: int):
        self._patience = patience
        self._start = self._loss = self._norm = np.inf
        self.epochs_without = 0
        self._before = np.inf, np.inf

    def has_ended(self, loss: float, norm: float) -> bool:
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


def _is_true(answer):
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def _finished(history, schedule, progress):
    last = history[-1]
    loss, norm = last["loss"], last["gradient_norm"]
    if not (np.isfinite(loss) and np.isfinite(norm)):
        raise InputError(_divergence(schedule, last))
    if norm <= schedule.tolerance:
        return "tolerance"
    if progress.has_ended(loss, norm):
        return "no_progress"
    return "epochs" if last["epoch"] >= schedule.epochs else None


def _divergence(schedule, last) -> str:
    """What must have been wrong: of mu and the learning rate those that the user chose."""
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
        f"{' and '.join(must)} to converge, received {' and '.join(received)}: the loss is "
        f"{last['loss']} after {last['epoch']} epochs; use 'auto' or a {' and a '.join(instead)} "
        "one"
    )
