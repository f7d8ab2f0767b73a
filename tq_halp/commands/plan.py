"""`python -m tq_halp.plan`: shows what a quantization map would do to each layer of a model."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tq_halp.commands.exit_status import FINISHED, answer, plain_warnings
from tq_halp.commands.shared_options import add_imports
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from tq_halp.config import Config
    from tq_halp.quantization_map import Plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 1 failed, 2 wrong input.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    accepted = parser()
    options = accepted.parse_args(arguments)
    if options.schema + bool(options.config) + bool(options.model or options.map) != 1:
        accepted.error("expected --config FILE, or --model MODEL.keras --map MAP.yaml, or --schema")
    if bool(options.model) != bool(options.map):
        accepted.error("--model and --map go together")
    with plain_warnings():
        return answer(lambda: _show(options), failed="error: the plan failed")


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp plan",
        description="Show what a quantization map does to each layer and tensor of a model.",
        epilog="Exit status: 0 done, 1 the plan failed, 2 wrong input.",
    )
    add = made.add_argument
    add("--config", metavar="FILE", help="the model and the map of a config, as for train")
    add("--model", metavar="MODEL.keras", help="a saved Keras model")
    add("--map", metavar="MAP.yaml", help="a quantization map")
    add_imports(made)
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--schema", action="store_true", help="print the JSON schema of maps, for editors")
    return made


def _show(options: argparse.Namespace) -> int:
    config = None
    if options.config:  # before TensorFlow starts: a typo is reported at once
        from tq_halp import config as configs

        config = configs.load(options.config)
        if config.quantization is None:
            raise InputError(f"{options.config}: has no quantization, so there is nothing to plan")
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    from tq_halp.quantization_map import QuantizationMap

    if options.schema:
        print(json.dumps(QuantizationMap.json_schema(), indent=2))
        return FINISHED
    plan = _plan_of_config(config) if config else _plan_of_model(options)
    print(json.dumps(plan.to_dict(), indent=2) if options.json else plan)
    return FINISHED


def _plan_of_config(config: "Config") -> "Plan":
    """The plan for the model and the map of a config."""
    from tq_halp import data
    from tq_halp.commands.running import experiment

    model = experiment.build_model(config, data.load(config.data))
    return experiment.load_map(config).plan(model)


def _plan_of_model(options: argparse.Namespace) -> "Plan":
    """The plan for the saved model --model and the map --map."""
    import os

    from tq_halp.commands.running.load_keras_model import load_model
    from tq_halp.quantization_map import QuantizationMap

    quantization = QuantizationMap.from_yaml(options.map)
    if not os.path.isfile(options.model):
        raise InputError(f"{options.model}: no such model file")
    model = load_model(options.model, options.imports)
    return quantization.plan(model)


if __name__ == "__main__":
    sys.exit(main())
