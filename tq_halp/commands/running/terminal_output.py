"""What the train command prints: the plan of a dry run, the summary of a run."""

import datetime
from collections.abc import Iterator

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from tq_halp.commands.running.cost_estimate import estimate_seconds, planned_gradient_evaluations
from tq_halp.commands.running.experiment import Experiment
from tq_halp.commands.running.run_directory import COLUMNS, PICTURES, RunDirectory


def print_plan(experiment: Experiment) -> None:
    """Prints the resolved config, the map's plan, and the cost, estimated from a few real steps."""
    console = Console()
    console.rule("config")
    console.print(Syntax(experiment.config.to_yaml(), "yaml", background_color="default"))
    if experiment.plan is not None:
        console.rule("quantization")
        console.print(str(experiment.plan), markup=False, highlight=False, soft_wrap=True)
    console.rule("cost")
    seconds = estimate_seconds(experiment)
    table = Table(show_header=False)
    for label, value in _cost_rows(experiment, seconds):
        table.add_row(label, value)
    console.print(table)


def _cost_rows(experiment: Experiment, seconds: float) -> Iterator[tuple[str, str]]:
    """(label, value) of the table of costs."""
    dataset, epochs = experiment.dataset, experiment.config.train.epochs
    instead = f" in place of {dataset.requested}" if dataset.is_fallback else ""
    yield "data set", dataset.name + instead
    yield "training examples", f"{dataset.train_size:,}"
    yield "validation examples", f"{len(dataset.validation[0]):,}"
    yield "parameters", f"{experiment.parameters:,}"
    yield "epochs", f"{epochs:,}"
    yield "steps per epoch", f"{experiment.steps_per_epoch:,}"
    for key, steps in experiment.decay_steps.items():
        yield key, f"{steps:,}"
    yield "gradient evaluations", f"{planned_gradient_evaluations(experiment):,.3g} passes"
    for need in experiment.needs():
        yield "further memory", need
    yield "estimated time", _duration(seconds)


def _duration(seconds: float) -> str:
    try:
        return str(datetime.timedelta(seconds=round(seconds)))
    except OverflowError:  # more than a billion days
        return f"{seconds / 86400:.3g} days"


def print_summary(summary: dict, run: RunDirectory) -> None:
    """Prints the last and the best evaluation, and the paths of the files."""
    console = Console()
    table = Table(title=f"{summary['status']}: {summary['algorithm']}")
    table.add_column("")
    table.add_column("last", justify="right")
    table.add_column("best", justify="right")
    final, best = summary["final"] or {}, summary["best"] or {}
    for column in COLUMNS:
        if final.get(column) is not None:
            table.add_row(column, _short(final[column]), _short(best.get(column)))
    console.print(table)
    if summary["test"]:
        numbers = ", ".join(f"{name} {_short(value)}" for name, value in summary["test"].items())
        console.print(f"test: {numbers}", highlight=False)
    dataset = summary["dataset"]
    instead = f" (in place of {dataset['requested']})" if dataset["fallback"] else ""
    console.print(f"data set: {dataset['name']}{instead}", highlight=False)
    for name in ("metrics.csv", *PICTURES, "model.keras", "summary.json"):
        if (run.path / name).exists():
            console.print(str(run.path / name), highlight=False, soft_wrap=True)


def _short(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
