"""How many whole epochs a budget of gradient evaluations buys, by what the algorithm itself says.

The cost need not be proportional to the epochs: `start_after` is free of the correction, a last
segment may be short. So the number is searched for. As a program it answers for runs.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tq_halp.commands.compare.tensorflow_process import ask, serve
from tq_halp.config.value_types import MOST
from tq_halp.errors import InputError

# Gradient evaluations are sums, with rounding errors.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bought:
    """Epochs and what they cost, in passes over the training data."""

    epochs: int
    passes: float

    def is_within(self, budget: float) -> bool:
        """Whether `budget` buys them."""
        return self.passes <= budget * (1 + _ROUNDING)


def bought(passes_of: Callable[[int], float], budget: float) -> Bought:
    """The most epochs that `budget` buys; one, which is not within it, where it buys none.

    Args:
        passes_of: what epochs cost; more epochs cost more.
        budget: passes over the training data.
    """

    def of(epochs: int) -> Bought:
        return Bought(epochs, passes_of(epochs))

    low, high = 1, 2  # `low` is within the budget.
    while of(high).is_within(budget) and high < MOST:
        low, high = high, min(2 * high, MOST)
    if of(high).is_within(budget):
        return of(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if of(middle).is_within(budget) else (low, middle)
    return of(low)


def ask_for(
    runs: Sequence[tuple[str, str, Sequence[str]]], budgets: Sequence[float]
) -> list[dict[str, Any]]:
    """Asks a process for each run.

    Args:
        runs: (label, file of the config, settings "key=value").
        budgets: passes over the training data.

    Returns:
        For each run {"steps_per_epoch": n, "bought": [[epochs, passes] for each budget]}.

    Raises:
        InputError: a run cannot be built.
    """
    said = ask(__name__, [list(runs), list(budgets)])[0]
    return json.loads(said.splitlines()[-1])  # Before it a module of the user may say something.


def answer(runs: Sequence[Sequence[Any]], budgets: Sequence[float]) -> list[dict[str, Any]]:
    """What `ask_for` says, in this process. Runs of the same data and model share them.

    Raises:
        InputError: as `ask_for`.
    """
    from tq_halp import config, data
    from tq_halp.commands.running.build_trainer import build_trainer
    from tq_halp.commands.running.experiment import build_model, steps_per_epoch
    from tq_halp.commands.running.schedule_length import with_decay_steps

    sets: dict[str, Any] = {}
    models: dict[str, Any] = {}
    found = []
    for label, path, overrides in runs:
        try:
            loaded = config.load(path, overrides)
            of_data, of_both = repr(loaded.data), repr((loaded.data, loaded.model))
            if of_data not in sets:
                sets[of_data] = data.load(loaded.data)
            if of_both not in models:
                models[of_both] = build_model(loaded, sets[of_data])
            # The length of a schedule changes no cost.
            trainer = build_trainer(with_decay_steps(loaded, MOST), models[of_both])
        except InputError as error:
            raise InputError(f"{label}: {error}") from error
        steps = steps_per_epoch(loaded, sets[of_data])
        each = [bought(_passes_of(trainer, steps), budget) for budget in budgets]
        found.append({"steps_per_epoch": steps, "bought": [[b.epochs, b.passes] for b in each]})
    return found


def _passes_of(trainer: Any, steps: int) -> Callable[[int], float]:
    return lambda epochs: trainer.loop.planned_gradient_evaluations(epochs, steps)


if __name__ == "__main__":
    sys.exit(serve(lambda asked: answer(*asked)))
