"""The arguments of `tq_halp.compare`, and the comparison that they ask for."""

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from tq_halp.commands.compare import budget_plan
from tq_halp.commands.compare.candidates import (
    Candidate,
    check_no_epochs,
    check_tries,
    chosen_by,
    concerning,
    parse,
    shared,
)
from tq_halp.commands.compare.run_grid import Comparison, default_folder
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from tq_halp.config import Config

#: The seed of tuning, which no comparison has by default: what was tuned on is not judged on.
TUNE_SEED = 1000


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp compare",
        description="Train with several algorithms and several seeds, and compare the results: "
        "compare.csv, curves.png, summary.md and report.html in a folder. Repeat the command "
        "to continue where it was stopped.",
        epilog="Exit status: 0 done, even if runs diverged; 1 a run failed otherwise, or "
        "no run finished; 2 wrong input; 130 stopped by a signal.",
    )
    add = made.add_argument
    add("--config", required=True, metavar="FILE", help="YAML file, e.g. configs/lstm_ptb.yaml")
    add(
        "--algorithms",
        default="halp,lp_sgd,svrg,sgd",
        metavar="[LABEL=]NAME,...",
        help="the candidates (halp,lp_sgd,svrg,sgd); with labels: halp8=halp,halp4=halp",
    )
    add(
        "--seeds",
        default="0,1,2",
        metavar="N,...",
        help="one run of each candidate per seed (0,1,2); five or more for a claim",
    )
    add("--run-dir", metavar="DIR", help="default: runs/compare-<config>")
    add(
        "--set",
        action="append",
        default=[],
        metavar="[LABEL.]KEY=VALUE",
        dest="sets",
        help="set a key for all, or for one label: train.epochs=4, halp.mu=0.01; repeatable",
    )
    add(
        "--tune",
        action="append",
        default=[],
        metavar="[LABEL.]KEY=VALUE,...",
        help="try each value and use the best; repeatable",
    )
    add("--tune-seeds", metavar="N,...", help=f"seeds of the tuning runs ({TUNE_SEED})")
    add(
        "--tune-by",
        choices=("final", "best"),
        default="final",
        help="tune by the validation loss after the last epoch, or by the lowest one (final)",
    )
    add(
        "--allow-unequal-tries",
        action="store_true",
        help="let --tune try more values for some labels than for others",
    )
    add(
        "--budget",
        type=float,
        metavar="PASSES",
        help="train each label for as many whole epochs as this number of passes over the training "
        "data buys, second gradients and snapshots counted; in place of train.epochs",
    )
    add(
        "--tune-budget",
        type=float,
        metavar="PASSES",
        help="the budget of a tuning run (that of --budget)",
    )
    add(
        "--baseline",
        metavar="LABEL",
        help="the candidate that the others are compared with (the first)",
    )
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="number of parallel runs, which share the cores (half the number of cores)",
    )
    add(
        "--report-only",
        action="store_true",
        help="train nothing; write the results of the existing runs",
    )
    return made


def comparison_of(options: argparse.Namespace) -> Comparison:
    """The comparison that the command's arguments ask for.

    Raises:
        InputError: one of them is wrong.
    """
    common = shared(options.sets, options.algorithms)
    candidates = parse(options.algorithms, options.sets, options.tune)
    seeds = _seeds("--seeds", options.seeds)
    tune_seeds = _tune_seeds(options, seeds)
    if not options.allow_unequal_tries:
        check_tries(candidates)
    labels = [candidate.label for candidate in candidates]
    baseline = labels[0] if options.baseline is None else options.baseline
    if baseline not in labels:
        raise InputError(f"--baseline {baseline}: no such label; known: {', '.join(labels)}")
    common_configs = tuple(_common(options.config, candidates[0].beside, common))
    folder = Path(options.run_dir or default_folder(options.config))
    budget = _budget(options, candidates, set(seeds) & set(tune_seeds))
    return Comparison(
        folder=folder,
        config_path=options.config,
        shared=tuple(common),
        common=common_configs,
        candidates=candidates,
        seeds=seeds,
        tune_seeds=tune_seeds,
        tune_by=options.tune_by,
        baseline=baseline,
        plan=budget and budget_plan.plan(budget, candidates, options.config, folder),
    )


def _common(
    config_path: str, algorithms: Sequence[str], shared: Sequence[str]
) -> Iterator["Config"]:
    """The config with the settings for all candidates, for each algorithm."""
    from tq_halp import config as configs

    for algorithm in algorithms:
        chosen = chosen_by([*algorithms, algorithm])
        yield configs.load(config_path, [*chosen, *concerning(algorithm, shared)])


def _seeds(option: str, text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text}: expected whole numbers, e.g. 0,1,2") from error
    if len(set(seeds)) < len(seeds):
        raise InputError(f"{option} {text}: expected different seeds")
    return seeds


def _tune_seeds(options: argparse.Namespace, seeds: Sequence[int]) -> tuple[int, ...]:
    """Those of the option, or the first number from TUNE_SEED on that is none of `seeds`."""
    if options.tune_seeds is not None:
        return _seeds("--tune-seeds", options.tune_seeds)
    return (next(seed for seed in itertools.count(TUNE_SEED) if seed not in seeds),)


def _budget(
    options: argparse.Namespace, candidates: Sequence[Candidate], both: Set[int]
) -> tuple[float, float] | None:
    """The budget of a compared and of a tuning run; None without --budget.

    Args:
        both: seeds of compared and of tuning runs.
    """
    passes, tuning = options.budget, options.tune_budget
    if passes is None:
        if tuning is not None:
            raise InputError(f"--tune-budget {tuning:g}: does nothing without --budget")
        return None
    _check_passes("--budget", passes)
    check_no_epochs(candidates)
    if tuning is None:
        return passes, passes
    _check_passes("--tune-budget", tuning)
    if not any(candidate.grid for candidate in candidates):
        raise InputError(f"--tune-budget {tuning:g}: does nothing without --tune")
    if tuning >= passes:
        raise InputError(f"--tune-budget {tuning:g}: expected less than --budget {passes:g}")
    if both:
        raise InputError(
            f"--tune-budget {tuning:g}: a run of seed {min(both)} would be both shorter, to tune, "
            "and as long as the others, to be compared; leave the seed out of --tune-seeds"
        )
    return passes, tuning


def _check_passes(option: str, passes: float) -> None:
    if not 0 < passes < math.inf:
        raise InputError(f"{option} {passes:g}: expected a finite number above 0")
