"""What the number formats do to a model's tensors: `tq_halp.report(model, data)`."""

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from tq_halp.analysis.result import Report
    from tq_halp.analysis.result_row import Row

__all__ = ["Report", "Row", "report"]


def report(
    model: keras.Model,
    data: Any,
    *,
    loss: Any = None,
    training: bool | None = None,
    batch_size: int = 32,
    batches: int | None = None,
    word_bits: int = 8,
) -> "Report":
    """Range, saturation, underflow and signal-to-noise ratio of every tensor of a model.

    Of a quantized model: each tensor that a layer quantizes, before and after. Of a floating-point
    model: each tensor that could be quantized, and the fraction length that would suit it. Batches
    are summed up as they come; memory does not grow with their number. The model stays as it is:
    weights, counters, statistics and optimizer.

    Args:
        model: a built Keras model of any kind, or one of `tq_halp.algorithms` around one.
        data: x, or a tuple (x, y) or (x, y, sample_weight), of arrays or tensors; a
            `tf.data.Dataset`, a `PyDataset` or an iterable of such batches. Several inputs are
            nested lists, tuples and dicts.
        loss: what `compile` takes for one output; None: the loss that the model is compiled with.
            Without a loss or without y there are no gradients and errors, and the report says so.
        training: whether layers run as in training (dropout, statistics of the batch); None: if
            there are gradients.
        batch_size: samples per batch, where data is arrays.
        batches: how many batches at most; None: all.
        word_bits: word length of the suggestions for tensors in floating point or in a format
            without one; others keep theirs.

    Returns:
        A `Report`: `print` shows a table, `rows` and `to_dict()` hold the numbers, and
        `save_html(path)` writes a page with plots.

    Raises:
        InputError: an argument is wrong, the model does not take the data, or these are empty or
            hold what is no finite number.

    The suggested fraction length is that of the fixed-point numbers of the word length, rounded to
    nearest and saturating, which have the largest signal-to-noise ratio; see `FractionBits`.
    """
    from tq_halp.analysis.analyze import make

    return make(
        model,
        data,
        loss=loss,
        training=training,
        batch_size=batch_size,
        batches=batches,
        word_bits=word_bits,
    )


def __getattr__(name: str) -> Any:
    if name in ("Report", "Row"):
        from tq_halp.analysis import result

        return getattr(result, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
