"""Checks of all runs that need TensorFlow, before the first one is trained."""

import sys
from collections.abc import Sequence
from typing import Any

from tq_halp.commands.compare.compared_run import Run
from tq_halp.commands.compare.tensorflow_process import ask, serve
from tq_halp.errors import InputError


def check(runs: Sequence[Run]) -> str:
    """Builds the model, map, optimizer and algorithm of each run, and loads its data.

    Returns:
        The text of the warnings.

    Raises:
        InputError: a run cannot be built.
    """
    asked = [[r.label, r.config_path, r.overrides, r.seed] for r in runs]
    return ask(__name__, asked)[1]


def build(runs: Sequence[Sequence[Any]]) -> None:
    """What `check` does, in this process.

    Raises:
        InputError: as `check`.
    """
    from tq_halp import config, data
    from tq_halp.commands.running import experiment

    sets: dict[str, Any] = {}
    for label, path, overrides, seed in runs:
        try:
            loaded = config.load(path, overrides, seed)
            key = repr(loaded.data)
            if key not in sets:
                sets[key] = data.load(loaded.data)
            experiment.build(loaded, sets[key])
        except InputError as error:
            raise InputError(f"{label}: {error}") from error


if __name__ == "__main__":
    sys.exit(serve(build))
