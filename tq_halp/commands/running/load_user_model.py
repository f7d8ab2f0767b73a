"""The user's own model from a .keras file, and the loss that it is trained with."""

import json
import zipfile

import keras
import numpy as np
import tensorflow as tf

from tq_halp.commands.running.check_loss_targets import (
    BINARY,
    ONE_HOT,
    SPARSE,
    Loss,
    check_probabilities,
    check_targets,
    is_of,
    takes_logits,
)
from tq_halp.commands.running.load_keras_model import load_model
from tq_halp.config import Config
from tq_halp.config.value_types import KerasObject
from tq_halp.data import Dataset
from tq_halp.data.files import check_sha256
from tq_halp.errors import InputError, reason
from tq_halp.first_non_finite import first_non_finite, place
from tq_halp.keras_internals.layers import (
    flatten_layers,
    own_trained_variables,
    own_untrained_variables,
)


def load(config: Config) -> keras.Model:
    """The model in `config.model.file`, not compiled.

    With `model.weights: fresh`, each layer with trainable weights is initialised anew; the others
    (frozen, or adapted to data, as Normalization is) keep the weights of the file.

    Raises:
        InputError: the file is missing, has another checksum or is no .keras file, Keras cannot
            load it, or a weight is not finite.
    """
    wanted, subject = config.model, config.subject("model", "file")
    if wanted.file is None:
        raise InputError(f"{config.subject('model')}: file is missing, the name of a .keras file")
    check_sha256(wanted.file, wanted.sha256)
    if not zipfile.is_zipfile(wanted.file):
        raise InputError(
            f"{subject}: {wanted.file}: cannot be loaded as a Keras model: is no .keras file, or a "
            "damaged one"
        )
    try:
        model = load_model(wanted.file, wanted.imports)
    except InputError as error:
        raise InputError(f"{subject}: {error}") from error
    if not isinstance(model, keras.Model) or not model.built:
        raise InputError(f"{subject}: {wanted.file} holds no built Keras model")
    if wanted.weights == "fresh":
        _begin_anew(model, wanted.file)
    for variable in model.variables:
        value = variable.numpy()
        is_float = keras.backend.is_float_dtype(variable.dtype)
        if is_float and (index := first_non_finite(value)) is not None:
            raise InputError(
                f"{subject}: {wanted.file}: {variable.path}{place(index)} is {value[index]}, "
                "expected a finite number"
            )
    return model


def loss_of(config: Config) -> Loss:
    """The loss that `train.loss` names, else the one that the model was compiled with.

    Raises:
        InputError: there is none, there are several, or Keras has none of that name.
    """
    wanted, subject = config.train.loss, config.subject("train", "loss")
    if wanted is None:
        wanted = (_description(str(config.model.file)).get("compile_config") or {}).get("loss")
        if wanted is None:
            raise InputError(
                f"{subject}: {config.model.file} was saved without a loss; name one of Keras', "
                "e.g. sparse_categorical_crossentropy or mean_squared_error"
            )
    if isinstance(wanted, KerasObject):
        wanted = wanted.model_dump()
    try:
        found = keras.losses.get(wanted)
    except Exception as error:
        raise InputError(f"{subject}: {reason(error)}") from error
    if not callable(found):  # It is a loss for each of several outputs.
        raise InputError(f"{subject} must be one loss, for one output. Received: {wanted!r}")
    return found


def accuracy_of(loss: Loss) -> list[keras.metrics.Metric]:
    """The accuracy metric that suits a crossentropy; none for other losses."""
    if is_of(loss, SPARSE):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if is_of(loss, ONE_HOT):
        return [keras.metrics.CategoricalAccuracy(name="accuracy")]
    if is_of(loss, BINARY):
        return [
            keras.metrics.BinaryAccuracy("accuracy", threshold=0.0 if takes_logits(loss) else 0.5)
        ]
    return []


def check(config: Config, model: keras.Model, loss: Loss, dataset: Dataset) -> np.ndarray:
    """The model's output for the first minibatch; the model's state stays as it is.

    Raises:
        InputError: the model cannot take the examples, has nothing to train, or `loss` is not
            defined for its output and the targets.
    """
    x, y = (array[: config.train.batch_size] for array in dataset.train)
    subject = config.subject("model", "file")
    try:
        z = model.stateless_call(
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            _as_a_run_would(x),
        )[0]
        z = z if isinstance(z, (list, dict, tuple)) else np.asarray(z)
    except Exception as error:
        raise InputError(
            f"{subject}: {config.model.title} cannot take examples of {x.dtype} and shape "
            f"{x.shape[1:]} ({dataset.name}): {reason(error)}"
        ) from error
    if not isinstance(z, np.ndarray):
        raise InputError(f"{subject}: {config.model.title} has several outputs, expected one")
    if np.issubdtype(z.dtype, np.inexact) and not np.isfinite(z).all():
        raise InputError(
            f"{subject}: for the first {len(x)} examples {config.model.title} returns numbers that "
            "are not finite"
        )
    if not model.trainable_variables:
        raise InputError(
            f"{subject}: {config.model.title} has nothing to train: all its weights are frozen, or "
            "there are none; expected a model with a trainable weight"
        )
    check_targets(loss, z, dataset)
    check_probabilities(config.subject("train", "loss"), loss, z)
    return z


def _as_a_run_would(x: np.ndarray) -> tf.Tensor:
    """`x` as a tensor of the dtype in which Keras would pass it."""
    floating = np.issubdtype(x.dtype, np.floating)
    return keras.ops.convert_to_tensor(x, dtype=keras.config.floatx() if floating else None)


def _begin_anew(model: keras.Model, path: str) -> None:
    """Initialises the layers with trainable weights anew."""
    description = _description(path)
    description.pop("compile_config", None)
    new = keras.saving.deserialize_keras_object(description)
    for ours, theirs in zip(flatten_layers(model), flatten_layers(new), strict=True):
        if any(variable.trainable for variable in own_trained_variables(ours)):
            for variables_of in (own_trained_variables, own_untrained_variables):
                for variable, drawn in zip(variables_of(ours), variables_of(theirs), strict=True):
                    variable.assign(drawn)


def _description(path: str) -> dict:
    """The configuration in a .keras file, without the weights."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))
