"""The computation behind `tq_halp.report`: from a model and data to a `Report`."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms import Trainer
from tq_halp.analysis.input_batches import batches as batches_of, samples_in
from tq_halp.analysis.layer_paths import paths_of
from tq_halp.analysis.observed_copy import FLOAT, is_quantizing, observable_copy
from tq_halp.analysis.report_result import Report
from tq_halp.analysis.report_row import Row
from tq_halp.analysis.running_statistics import Tally
from tq_halp.analysis.tensor_capture import Tallies, loss_of, run
from tq_halp.errors import InputError
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.layers.tensor_observers import Observation


def make_report(
    model: keras.Model,
    data: Any,
    *,
    loss: Any,
    training: bool | None,
    batch_size: int,
    batches: int | None,
    word_bits: int,
) -> Report:
    """The report. Arguments and errors: see `tq_halp.report`."""
    for name, value, most in (
        ("batch_size", batch_size, None),
        ("batches", batches, None),
        ("word_bits", word_bits, 64),
    ):
        _check_count(name, value, most)
    if not tf.executing_eagerly():
        raise InputError(
            "report must be called outside of a tf.function: it reads the values of tensors"
        )
    if isinstance(model, Trainer):
        loss = getattr(model, "loss", None) if loss is None else loss
        model = model.model
    observed, notes = _observed(model)
    counted = _CountedBatches(batches_of(data, batch_size, batches))
    has_y = counted.first[1] is not None
    step = loss_of(observed, loss) if has_y else None
    training = step is not None if training is None else bool(training)
    tallies = Tallies(word_bits)
    run(observed, counted, step, training, tallies)
    return Report(
        model=model.name,
        batches=counted.batches,
        samples=counted.samples,
        rows=tuple(_rows(tallies, paths_of(observed))),
        notes=(*notes, *_notes(tallies, has_y, step is not None, training)),
    )


def _observed(model: Any) -> tuple[keras.Model, list[str]]:
    """An observable copy of the model, and notes; the model itself if it cannot be copied."""
    if not isinstance(model, keras.Model):
        raise InputError(f"model must be a Keras model. Received: {model!r}")
    try:
        return observable_copy(model), []
    except InputError as error:
        if not is_quantizing(model):
            raise
        return model, [
            f"only tensors with a quantizer are shown, as the model cannot be copied: {error}"
        ]


class _CountedBatches:
    """Iterates over batches and counts them and their samples. The first can be read before."""

    def __init__(self, found: Iterator[Any]) -> None:
        self.first = next(found)
        self._found = itertools.chain([self.first], found)
        self.batches = self.samples = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self._found:
            self.batches += 1
            self.samples += samples_in(batch)
            yield batch


def _check_count(name: str, value: Any, most: int | None) -> None:
    if value is None and name == "batches":
        return
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if not is_int or value < 1 or (most is not None and value > most):
        valid = "at least 1" if most is None else f"from 1 to {most}"
        raise InputError(f"{name} must be an integer {valid}. Received: {value!r}")


def _rows(tallies: Tallies, paths: Mapping[int, str]) -> Iterator[Row]:
    """The rows, grouped by layer, in the order in which layers were first observed."""
    order: dict[int, int] = {}
    for layer, _, _ in tallies.found:
        order.setdefault(layer, len(order))
    for key in sorted(tallies.found, key=lambda key: order[key[0]]):
        seen, tally = tallies.found[key]
        yield _row(seen, tally, paths.get(key[0], seen.layer.name), tallies)


def _row(seen: Observation, tally: Tally, path: str, tallies: Tallies) -> Row:
    format, suggestion = seen.quantizer.format, tally.suggestion
    in_float = seen.quantizer == FLOAT
    is_fixed = isinstance(format, formats.FixedPoint)
    has_any = tally.count > 0
    return Row(
        layer=path,
        class_name=_class_name(seen.layer),
        role=seen.role,
        tensor=seen.tensor.removesuffix("/gradient").removesuffix("/error"),
        format="float" if in_float else str(seen.quantizer),
        count=tally.count,
        nonfinite=tally.nonfinite,
        min=tally.min if has_any else None,
        max=tally.max if has_any else None,
        max_abs=max(abs(tally.min), abs(tally.max)) if has_any else None,
        saturation=tally.saturation,
        underflow=None if in_float else tally.underflow,
        sqnr_db=None if in_float else tally.sqnr_db,
        limits=tally.limits,
        step=format.step if is_fixed else None,
        frac_bits=format.frac_bits if is_fixed else None,
        word_bits=tallies.word_bits(seen.quantizer),
        suggested_frac_bits=suggestion.best,
        suggested_sqnr_db=suggestion.sqnr_db,
        covering_frac_bits=suggestion.covering,
        histogram_edges=tuple(tally.values.edges.tolist()),
        histogram_counts=tuple(tally.values.counts.tolist()),
        magnitudes=tally.magnitudes.counts,
    )


def _class_name(layer: keras.Layer) -> str:
    wrapped = layer.layer if isinstance(layer, QuantLayer) else layer
    return type(wrapped).__name__.removeprefix("Quant")


def _notes(tallies: Tallies, has_y: bool, has_loss: bool, training: bool) -> Iterator[str]:
    if not has_y:
        yield "gradients and errors are left out: data has no y"
    elif not has_loss:
        yield "gradients and errors are left out: the model has no compiled loss; give loss="
    yield f"layers ran as in {'training' if training else 'inference'}"
    if tallies.traced:
        yield f"not observed, as they run inside a tf.function: {', '.join(sorted(tallies.traced))}"
    if not tallies.found:
        yield "no tensor was observed"
