"""Checks of all runs that need TensorFlow, before the first one is trained."""

import json
import sys
from collections.abc import Sequence

from tq_halp.commands.compare.compared_run import Run
from tq_halp.commands.compare.tensorflow_process import ask
from tq_halp.commands.exit_status import WRONG_INPUT, plain_warnings
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


def _main() -> int:
    """The process: reads the runs from standard input; returns the exit status."""
    from tq_halp import config, data
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    from tq_halp.commands.running import experiment

    sets = {}
    for label, path, overrides, seed in json.load(sys.stdin):
        try:
            loaded = config.load(path, overrides, seed)
            key = repr(loaded.data)
            if key not in sets:
                sets[key] = data.load(loaded.data)
            experiment.build(loaded, sets[key])
        except InputError as error:
            print(f"{label}: {error}")
            return WRONG_INPUT
    return 0


if __name__ == "__main__":
    with plain_warnings():
        sys.exit(_main())
