"""From a config to the objects that carry it out."""

import math
import warnings
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from tq_halp import models
from tq_halp.commands.running import load_user_model
from tq_halp.commands.running.build_optimizer import build_optimizer, check_step
from tq_halp.commands.running.build_trainer import build_trainer
from tq_halp.commands.running.run_identity import resolved
from tq_halp.commands.running.schedule_length import decay_steps, with_decay_steps
from tq_halp.config import Config
from tq_halp.data import Dataset
from tq_halp.errors import InputError, reason
from tq_halp.first_non_finite import first_non_finite, place
from tq_halp.quantization_map import QuantizationMap


@dataclass(frozen=True)
class Experiment:
    """Everything a run needs, built and checked: the compiled `trainer` trains `model`."""

    config: Config
    dataset: Dataset
    model: keras.Model
    trainer: keras.Model
    #: The quantization map's decisions, ready to print; None without a map.
    plan: object = None

    @property
    def is_language_model(self) -> bool:
        """True if exp(loss) is a perplexity."""
        return self.dataset.vocabulary_size is not None

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one pass over the training data, the short last one included."""
        return steps_per_epoch(self.config, self.dataset)

    @property
    def decay_steps(self) -> dict[str, int]:
        """Full key -> the number of steps that `decay_steps: all` stands for."""
        return decay_steps(self.config, self.config.train.epochs * self.steps_per_epoch)

    def needs(self) -> list[str]:
        """What the algorithm needs beside its variables, in words.

        Raises:
            InputError: the machine has not enough of it.
        """
        x, y = (array[: self.config.train.batch_size] for array in self.dataset.train)
        first = *map(keras.ops.convert_to_tensor, (x, y)), None
        try:
            return self.trainer.loop.needs(self.steps_per_epoch, first)
        except InputError as error:
            raise InputError(f"{self.config.blame('algorithm', 'table')}: {error}") from error

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        return sum(math.prod(variable.shape) for variable in self.model.trainable_variables)

    @property
    def validation_batch_size(self) -> int:
        """Batch size of evaluations; by default that of training."""
        return self.config.train.validation_batch_size or self.config.train.batch_size


def steps_per_epoch(config: Config, dataset: Dataset) -> int:
    """Minibatches in one pass over the training data, the short last one included."""
    return -(-dataset.train_size // config.train.batch_size)


def build(config: Config, dataset: Dataset) -> Experiment:
    """Build and quantize the model, compile the algorithm around it; `dataset` is `data.load`'s.

    Seeds Python's, NumPy's and TensorFlow's generators, so call it at the start of a process's run.

    Raises:
        InputError: model, map, optimizer or algorithm cannot be had as asked, or an example holds
            what is no finite number.
    """
    _check_finite(config, dataset)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, dataset)
    loss, metrics, output = _objective(config, dataset, model)
    in_steps = with_decay_steps(config, config.train.epochs * steps_per_epoch(config, dataset))
    optimizer, plan = build_optimizer(in_steps), None
    check_step(in_steps, model)
    if config.quantization is not None:
        quantization_map = load_map(config)
        plan, model = quantization_map.plan(model), quantization_map.apply(model)
        optimizer = quantization_map.optimizer(model, optimizer)
    trainer = build_trainer(in_steps, model)
    trainer.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    _check_error_feedback(config, trainer)
    if metrics:
        # Keras makes a metric's sums when it first needs them; a checkpoint is put back before.
        trainer.compute_metrics(None, dataset.train[1][: len(output)], output)
        trainer.reset_metrics()
    made = Experiment(resolved(config, dataset), dataset, model, trainer, plan)
    made.needs()
    _warn_of_what_comes_too_late(made)
    return made


def _check_finite(config: Config, dataset: Dataset) -> None:
    """Here, for else the first gradient would say so, as if the training had gone wrong."""
    floatx = keras.config.floatx()  # In it Keras trains.
    parts = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    for part, examples in parts.items():
        for axis, array in zip("xy", examples or (), strict=False):
            if not np.issubdtype(array.dtype, np.floating):
                continue
            with np.errstate(over="ignore"):
                index = first_non_finite(array.astype(floatx, copy=False))
            if index is not None:
                raise InputError(
                    f"{config.subject('data')}: {dataset.name}: {axis}{place(index)} of the {part} "
                    f"examples is {array[index]}, expected a finite number of {floatx}"
                )


def _check_error_feedback(config: Config, trainer: keras.Model) -> None:
    """Here, for else only the training would say that the optimizer does not go with it."""
    if getattr(trainer.iterate, "error_feedback", None) is None or not trainer.built:
        return
    try:
        trainer.iterate.check_setting()
    except InputError as error:
        raise InputError(f"{config.blame('algorithm', 'error_feedback')}: {error}") from error


def _warn_of_what_comes_too_late(experiment: Experiment) -> None:
    """A key that would do something in a longer run: any config may be tried on a few examples."""
    config = experiment.config
    steps = config.train.epochs * experiment.steps_per_epoch
    for path, given in config.algorithm_parts().items():
        if "average_after" in given and given["average_after"] + given["average_every"] > steps:
            warnings.warn(
                f"{config.subject(*path, 'average_after')}: the first averaged iterate is that "
                f"of step {given['average_after'] + given['average_every']}, and the run has "
                f"{steps} steps: its result is the last iterate",
                stacklevel=3,
            )
        if given.get("start_after", 0) >= steps:
            warnings.warn(
                f"{config.subject(*path, 'start_after')}: received {given['start_after']}, and "
                f"the run has {steps} steps: none of them is corrected",
                stacklevel=3,
            )


def build_model(config: Config, dataset: Dataset) -> keras.Model:
    """The unquantized model that `config.model` names, sized for `dataset`."""
    m = config.model
    fitting = _models_for(dataset)
    if m.name not in fitting:
        subject = config.subject("model", "name")
        use = " or ".join(fitting)
        raise InputError(f"{subject}: {m.name} cannot learn {dataset.name}; use {use}")
    if m.name == "file":
        return load_user_model.load(config)
    try:
        return _built(config, dataset)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise InputError(
            f"{config.blame('model', ' '.join(config.used('model')))}: {m.name} does not fit into "
            f"memory: {reason(error)}"
        ) from error


def _built(config: Config, dataset: Dataset) -> keras.Model:
    m, x = config.model, dataset.train[0]
    given = config.used("model")
    # The model suits the data, so they have what it asks for.
    classes, vocabulary_size = cast(int, dataset.classes), cast(int, dataset.vocabulary_size)
    if m.name == "linear":
        return models.linear(x.shape[1], **given)
    if m.name == "linear_classifier":
        pixels = x.dtype == "uint8"
        return models.linear_classifier(x.shape[1:], classes, pixels=pixels, **given)
    if m.name == "resnet":
        return models.resnet(x.shape[1:], classes, seed=config.seed, **given)
    return models.lstm_language_model(vocabulary_size, seed=config.seed, **given)


def _models_for(dataset: Dataset) -> tuple[str, ...]:
    """The models that can learn a set."""
    x, y = dataset.train
    if dataset.vocabulary_size is not None:
        return ("lstm_language_model", "file")
    if dataset.classes is not None:
        images = ("resnet",) if x.ndim == 4 else ()
        return ("linear_classifier", *images, "file")
    is_linear = x.ndim == 2 and x.dtype == y.dtype and y.shape == (len(x), 1)
    return ("linear", "file") if is_linear else ("file",)


def load_map(config: Config) -> QuantizationMap:
    """The quantization map of a config that has one, from its file or from the config itself.

    Raises:
        InputError: the map is wrong in itself.
    """
    if isinstance(config.quantization, str):
        return QuantizationMap.from_yaml(config.quantization)
    return QuantizationMap.from_dict(
        config.quantization, origin=lambda path: config.origin("quantization", *path)
    )


def _objective(config: Config, dataset: Dataset, model: keras.Model) -> tuple[Any, Any, Any]:
    """The loss, the metrics, and an output of the kind that `model` has, by which they are made."""
    if config.model.name == "file":
        loss = load_user_model.loss_of(config)
        output = load_user_model.check(config, model, loss, dataset)
        return loss, load_user_model.accuracy_of(loss), output
    dtype = config.model.dtype
    if dataset.vocabulary_size is None and dataset.classes is None:
        return models.HalfMeanSquaredError(dtype=dtype), None, None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
    if dataset.classes is None:
        return loss, None, None
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return loss, [accuracy], keras.ops.zeros((1, dataset.classes))
