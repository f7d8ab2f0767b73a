"""One run, from the first evaluation to the last file; whatever ends it, its directory is whole."""

import math
import traceback

from tq_halp.quantization_map import QuantizationSchedule
from tq_halp.running.experiment import Experiment
from tq_halp.running.interrupt import StopOnSignal
from tq_halp.running.plotting import plot_curves
from tq_halp.running.provenance import provenance
from tq_halp.running.recorder import RunRecorder
from tq_halp.running.run_directory import RunDirectory


def execute(experiment: Experiment, run: RunDirectory, stop: StopOnSignal, verbose=2) -> dict:
    """Train `experiment` and write everything to `run`.

    Returns:
        The summary, as in summary.json. Its `status` is "finished"; "interrupted" if `stop` was
        requested; "failed", with an `error`, if a loss stopped being a number or an exception came.
    """
    config, dataset = experiment.config, experiment.dataset
    comment = "# What a run did, whole: training it again repeats the run.\n"
    if dataset.is_fallback:
        comment += f"# {dataset.requested} was asked for and not found.\n"
    run.write_config(comment + config.to_yaml())
    summary = {"status": "running", "error": None, **_description(experiment)}
    run.write_summary(summary)
    recorder = RunRecorder(
        run,
        experiment.model,
        steps_per_epoch=experiment.steps_per_epoch,
        is_language_model=experiment.is_language_model,
        stop_requested=lambda: stop.requested,
    )
    try:
        _train(experiment, recorder, stop, verbose)
        summary |= _outcome(recorder, stop)
    except KeyboardInterrupt:
        summary["status"] = "interrupted"
    except Exception as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        summary |= {"status": "failed", "error": first_line, "traceback": traceback.format_exc()}
    _finish(experiment, run, summary)
    return summary


def _train(experiment: Experiment, recorder: RunRecorder, stop: StopOnSignal, verbose) -> None:
    train = experiment.config.train
    x, y = experiment.dataset.validation
    size = experiment.validation_batch_size
    before = experiment.trainer.evaluate(x, y, batch_size=size, verbose=0)
    recorder.record(0, {"step": 0, "gradient_evaluations": 0.0, "val_loss": before})
    if stop.requested:
        return
    experiment.trainer.fit(
        *experiment.dataset.train,
        batch_size=train.batch_size,
        epochs=train.epochs,
        shuffle=train.shuffle,
        validation_data=(x, y),
        validation_batch_size=size,
        callbacks=[QuantizationSchedule(), recorder],
        verbose=verbose,
    )


def _outcome(recorder: RunRecorder, stop: StopOnSignal) -> dict:
    if recorder.failure:
        return {"status": "failed", "error": recorder.failure}
    return {"status": "interrupted" if stop.requested else "finished"}


def _finish(experiment: Experiment, run: RunDirectory, summary: dict) -> None:
    """Model, curves and summary; the summary last, so that its status vouches for the others."""
    run.save_model(experiment.model)
    plot_curves(run.rows, title(experiment), run.path / "curves.png")
    rated = [row for row in run.rows if math.isfinite(row["val_loss"])]
    summary["final"] = run.rows[-1] if run.rows else None
    summary["best"] = min(rated, key=lambda row: row["val_loss"], default=None)
    run.write_summary(summary)


def title(experiment: Experiment) -> str:
    """What was trained on what, by its true name."""
    config, dataset = experiment.config, experiment.dataset
    algorithm = config.algorithm
    bits = "" if algorithm.name in ("sgd", "svrg") else f", {algorithm.word_bits} bits"
    instead = f" (in place of {dataset.requested})" if dataset.is_fallback else ""
    return f"{config.model.name} on {dataset.name}{instead}: {algorithm.name}{bits}"


def _description(experiment: Experiment) -> dict:
    """What is known before the first step."""
    config, dataset = experiment.config, experiment.dataset
    return {
        "algorithm": config.algorithm.name,
        "model": config.model.name,
        "parameters": experiment.parameters,
        "steps_per_epoch": experiment.steps_per_epoch,
        "seed": config.seed,
        "dataset": {
            "name": dataset.name,
            "requested": dataset.requested,
            "fallback": dataset.is_fallback,
            "source": dataset.source,
            "train_examples": dataset.train_size,
            "validation_examples": len(dataset.validation[0]),
            "vocabulary_size": dataset.vocabulary_size,
        },
        **provenance(),
    }
