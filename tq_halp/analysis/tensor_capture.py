"""Training steps of a model without updates, in which an observer collects its tensors."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from tq_halp import formats
from tq_halp.analysis.observed_copy import FLOAT, current
from tq_halp.analysis.running_statistics import Tally
from tq_halp.analysis.suggest_frac_bits import FractionBits
from tq_halp.errors import InputError
from tq_halp.layers.tensor_observers import Observation, observing
from tq_halp.quantizers import Quantizer

# Colours, and names of TensorFlow's operations, in error messages.
_WHERE = re.compile(r"\x1b\[[0-9;]*m|\{\{.*?\}\}")
# Roles of variables: the same tensor in every batch.
_VARIABLES = ("weights", "recurrent_weights", "bias")


class Tallies:
    """An observer of layers that keeps a `Tally` for each (layer, role, tensor).

    Args:
        word_bits: word length of the suggestions for formats that have none.
    """

    def __init__(self, word_bits: int) -> None:
        self.found: dict[tuple[int, str, str], tuple[Observation, Tally]] = {}
        self.traced: set[str] = set()  # names of layers that ran in a tf.function
        self._word_bits = word_bits

    def __call__(self, seen: Observation) -> None:
        if tf.is_symbolic_tensor(seen.x):
            self.traced.add(seen.layer.name)
            return
        key = (id(seen.layer), seen.role, seen.tensor)
        if key not in self.found:
            seen = dataclasses.replace(seen, quantizer=current(seen.quantizer))
            self.found[key] = seen, self._tally(seen.quantizer)
        elif seen.role in _VARIABLES and self._is_whole_variable(seen):
            return
        self.found[key][1].add(seen.x.numpy(), seen.quantized.numpy())

    def word_bits(self, quantizer: Quantizer) -> int:
        """The word length of the suggestion for a tensor with that quantizer."""
        own = None if quantizer == FLOAT else bits_of(quantizer.format)
        return own or self._word_bits

    def _tally(self, quantizer: Quantizer) -> Tally:
        signed = getattr(quantizer.format, "signed", True)
        limits = None if quantizer == FLOAT else limits_of(quantizer.format)
        return Tally(limits, FractionBits(self.word_bits(quantizer), signed))

    def _is_whole_variable(self, seen: Observation) -> bool:
        """Whether x is a whole variable, not the rows that an Embedding gathers for a batch."""
        return any(seen.x.shape == variable.shape for variable in seen.layer.weights)


def bits_of(format: formats.Format) -> int | None:
    """The word length of a format in bits; None: it has none."""
    if isinstance(format, formats.MX):
        format = format.element_format
    if isinstance(format, formats.Minifloat):
        return 1 + format.exponent_bits + format.mantissa_bits
    return getattr(format, "word_bits", None)


def limits_of(format: formats.Format) -> tuple[float, float] | None:
    """The smallest and the largest number; None for a format without fixed limits."""
    fixed = (formats.FixedPoint, formats.Minifloat, formats.PowerOfTwo)
    levels = (formats.Binary, formats.Ternary)
    return (format.min, format.max) if isinstance(format, (*fixed, *levels)) else None


def run(
    model: keras.Model,
    batches: Iterable[tuple[Any, Any, Any]],
    loss: Callable[..., tf.Tensor] | None,
    training: bool,
    observer: Callable[[Observation], object],
) -> None:
    """Runs `model` forward on each batch, and backward from the loss, if there is one.

    Variables keep their values. What a call assigns (counters, BatchNorm statistics, the states of
    random generators and of a stateful RNN) is kept in a scope, in which the next batch reads it.

    Args:
        model: a built Keras model.
        batches: tuples (x, y, sample_weight).
        loss: a function of (x, y, y_pred, sample_weight), or None for the forward pass alone.
        training: whether layers run as in training.
        observer: is called with every `Observation`.

    Raises:
        InputError: the model or the loss does not take the data.
    """
    with keras.StatelessScope(collect_losses=True), observing(observer):
        for x, y, sample_weight in batches:
            with tf.GradientTape() as tape:
                y_pred = _checked("model", functools.partial(model, x, training=training))
                if loss is not None:
                    value = _checked("loss", functools.partial(loss, x, y, y_pred, sample_weight))
            if loss is not None:
                tape.gradient(value, [v.value for v in model.trainable_variables])


def loss_of(model: keras.Model, loss: Any) -> Callable[..., tf.Tensor] | None:
    """The loss for `run`, a function of (x, y, y_pred, sample_weight); None if there is none.

    Args:
        model: its compiled loss is used if `loss` is None.
        loss: as in `compile`, for one output: a name, a function or a `keras.losses.Loss`.

    Raises:
        InputError: `loss` is something else.
    """
    if loss is None:
        if not model.compiled or getattr(model, "loss", None) is None:
            return None
        return lambda x, y, y_pred, weight: model.compute_loss(x, y, y_pred, weight, training=True)
    try:
        chosen = keras.losses.get(loss)
    except ValueError as error:
        raise InputError(f"loss: {error}") from error

    def mean(x: Any, y: Any, y_pred: Any, weight: Any) -> tf.Tensor:
        if isinstance(chosen, keras.losses.Loss):
            return chosen(y, y_pred, sample_weight=weight)
        losses = chosen(y, y_pred)
        return keras.ops.mean(losses if weight is None else losses * weight)

    return mean


def _checked(who: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, tf.errors.OpError) as error:
        raise InputError(f"data must be what the {who} takes: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first line of a message that gives a reason. Keras and TensorFlow put the place first."""
    lines = (_WHERE.sub("", line).strip() for line in str(error).splitlines())
    said = [line for line in lines if line and not line.startswith("Exception encountered")]
    return said[0] if said else type(error).__name__
