"""One training run; however it ends, its run directory is complete."""

import functools
import math
import traceback
from collections.abc import Callable
from typing import Any

import keras

from tq_halp.commands.running.checkpoint_callbacks import Checkpointing, Resuming
from tq_halp.commands.running.checkpoint_folder import Checkpoint, Checkpoints
from tq_halp.commands.running.checkpointed_state import mismatch
from tq_halp.commands.running.curves_plot import plot_curves
from tq_halp.commands.running.diagnostics_plot import plot_diagnostics
from tq_halp.commands.running.experiment import Experiment
from tq_halp.commands.running.interrupt import StopOnSignal
from tq_halp.commands.running.metrics import perplexity
from tq_halp.commands.running.metrics_recorder import RunRecorder
from tq_halp.commands.running.package_versions import provenance
from tq_halp.commands.running.run_directory import RunDirectory
from tq_halp.commands.running.run_identity import identity
from tq_halp.commands.running.shuffling import ShuffledExamples
from tq_halp.config import WRITTEN_BY_RUN
from tq_halp.data.dataset import Examples
from tq_halp.errors import reason
from tq_halp.quantization_map import QuantizationSchedule


def execute(
    experiment: Experiment,
    run: RunDirectory,
    stop: StopOnSignal,
    verbose: int = 2,
    start: Checkpoint | None = None,
) -> dict:
    """Trains `experiment` and writes everything to `run`.

    Args:
        stop: tells whether a stop is requested.
        verbose: of Keras' `fit`.
        start: the checkpoint to continue from; None for a new run.

    Returns:
        The summary, as in summary.json. Its `status` is "finished"; "interrupted" if a stop was
        requested; "failed", with an `error`, if a loss was not finite or an exception was raised.
    """
    summary = {"status": "running", "error": None, **_description(experiment)}
    summary |= {"resumed_after_step": start.total_steps if start else None, "test": None}
    try:
        _write_beginning(experiment, run, summary, start)
        outcome = _train(experiment, run, stop, verbose, start)
        if outcome["status"] == "finished":
            summary["test"] = _test(experiment)
        summary |= outcome
    except KeyboardInterrupt:
        summary["status"] = "interrupted"
    except Exception as error:
        summary |= _failure(error)
    _finish(experiment, run, summary)
    return summary


def _write_beginning(
    experiment: Experiment, run: RunDirectory, summary: dict, start: Checkpoint | None
) -> None:
    """Writes the summary first, which marks the folder as that of a run, then the config."""
    config, dataset = experiment.config, experiment.dataset
    comment = WRITTEN_BY_RUN
    if dataset.is_fallback:
        comment += f"# {dataset.requested} was asked for and not found.\n"
    run.write_summary(summary)
    run.write_config(comment + config.to_yaml())
    if start is not None:
        # Rows after the checkpoint will be written again.
        run.write_rows(start.rows)


def _train(
    experiment: Experiment,
    run: RunDirectory,
    stop: StopOnSignal,
    verbose: int,
    start: Checkpoint | None,
) -> dict:
    """Evaluates, then trains to the end; returns the summary's status and error."""
    train, trainer = experiment.config.train, experiment.trainer
    x, y = experiment.dataset.train
    first = keras.ops.convert_to_tensor(x[: train.batch_size])
    examples = ShuffledExamples(
        x,
        y,
        train.batch_size,
        seed=experiment.config.seed if train.shuffle else None,
        together=trainer.estimator.keeps_batches(first),
    )
    recorder = RunRecorder(
        run,
        examples,
        is_language_model=experiment.is_language_model,
        stop_requested=lambda: stop.requested,
        seconds=start.seconds if start else 0.0,
    )
    checkpoints = checkpoints_of(experiment, run)
    validation = {
        "validation_data": experiment.dataset.validation,
        "validation_batch_size": experiment.validation_batch_size,
    }
    if start is None:
        before = _evaluated(experiment, experiment.dataset.validation)
        named = {f"val_{name}": value for name, value in before.items()}
        recorder.record(0, {"step": 0, "gradient_evaluations": 0.0, **named})
    while True:
        epoch, step = (start.epoch, start.step) if start else (0, 0)
        trainer.fit(
            examples.batches(epoch, step),
            full_gradient_data=examples.arrays,
            batch_size=train.batch_size,
            initial_epoch=epoch,
            # Within one `fit` all epochs have equally many steps: the rest of one is its own `fit`.
            epochs=epoch + 1 if step else train.epochs,
            callbacks=[
                Resuming(start),
                examples,
                QuantizationSchedule(),
                recorder,
                Checkpointing(checkpoints, examples, recorder, train.checkpoint_every_steps),
            ],
            verbose=verbose,
            **validation,
        )
        if recorder.failure:
            return {"status": "failed", "error": recorder.failure}
        if examples.total_steps == train.epochs * examples.steps_per_epoch:
            return {"status": "finished"}
        if stop.requested:
            return {"status": "interrupted"}
        start = checkpoints.newest()


def _evaluated(experiment: Experiment, examples: Examples) -> dict:
    size = experiment.validation_batch_size
    return experiment.trainer.evaluate(*examples, size, verbose=0, return_dict=True)


def _test(experiment: Experiment) -> dict | None:
    """The metrics of the final weights on the test examples, which were used for no choice."""
    if experiment.dataset.test is None:
        return None
    numbers = _evaluated(experiment, experiment.dataset.test)
    if experiment.is_language_model:
        numbers["perplexity"] = perplexity(numbers["loss"])
    return numbers


def checkpoints_of(experiment: Experiment, run: RunDirectory) -> Checkpoints:
    """The checkpoints of `experiment` in `run`; creates all variables that are in them."""
    trainer = experiment.trainer
    trainer.optimizer.build(trainer.trainable_variables)
    size = experiment.config.train.batch_size
    trainer.fit_data.set_for_fit(*experiment.dataset.train, batch_size=size)
    trainer.loop.on_data()
    return Checkpoints(
        run.checkpoints,
        identity(experiment.config, experiment.dataset),
        mismatch=functools.partial(mismatch, trainer),
    )


def _failure(error: Exception) -> dict:
    """The summary's entries for an exception."""
    said = reason(error)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        said = f"{error.strerror}{where}"
    return {"status": "failed", "error": said, "traceback": traceback.format_exc()}


def _finish(experiment: Experiment, run: RunDirectory, summary: dict) -> None:
    """Writes model, pictures and summary.

    The summary comes last, so that its status vouches for the other files. If a file cannot be
    written the run has failed, and the file's previous content stays.
    """
    rated = [row for row in run.rows if math.isfinite(row["val_loss"])]
    summary["final"] = run.rows[-1] if run.rows else None
    summary["best"] = min(rated, key=lambda row: row["val_loss"], default=None)
    _attempt(summary, run.save_model, experiment.model)
    _attempt(summary, plot_curves, run.rows, title(experiment), run.path / "curves.png")
    picture = run.path / "diagnostics.png"
    _attempt(summary, plot_diagnostics, run.rows, title(experiment), picture)
    _attempt(summary, run.write_summary, summary)


def _attempt(summary: dict, write: Callable, *arguments: Any) -> None:
    try:
        write(*arguments)
    except Exception as error:  # h5py raises its own for a full disk.
        summary |= _failure(error) | ({"error": summary["error"]} if summary["error"] else {})


def title(experiment: Experiment) -> str:
    """The model, the data that were used, and the algorithm, for a headline."""
    config, dataset = experiment.config, experiment.dataset
    algorithm = config.algorithm
    numbers = f", {algorithm.numbers}" if algorithm.numbers else ""
    instead = f" (in place of {dataset.requested})" if dataset.is_fallback else ""
    return f"{config.model.title} on {dataset.name}{instead}: {algorithm.title}{numbers}"


def _description(experiment: Experiment) -> dict:
    """The summary's entries that are known before the first step."""
    config, dataset = experiment.config, experiment.dataset
    return {
        "algorithm": config.algorithm.title,
        "model": config.model.title,
        "parameters": experiment.parameters,
        "steps_per_epoch": experiment.steps_per_epoch,
        "decay_steps": experiment.decay_steps,
        "seed": config.seed,
        "dataset": {
            "name": dataset.name,
            "requested": dataset.requested,
            "fallback": dataset.is_fallback,
            "source": dataset.source,
            "train_examples": dataset.train_size,
            "validation_examples": len(dataset.validation[0]),
            "test_examples": len(dataset.test[0]) if dataset.test else 0,
            "vocabulary_size": dataset.vocabulary_size,
            "classes": dataset.classes,
        },
        **provenance(),
    }
