"""Statistics of how number formats change a model's tensors: `tq_halp.report(model, data)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from tq_halp.analysis.report_result import Report
    from tq_halp.analysis.report_row import Row

__all__ = ["Report", "Row", "report"]


def report(
    model: "keras.Model",
    data: Any,
    *,
    loss: Any = None,
    training: bool | None = None,
    batch_size: int = 32,
    batches: int | None = None,
    word_bits: int = 8,
) -> "Report":
    """Range, saturation, underflow and signal-to-noise ratio of every tensor of a model.

    For a quantized model: each tensor that a layer quantizes, before and after. For a
    floating-point model: each tensor that could be quantized, with a suggested fraction length.
    Memory does not grow with the number of batches. The model is unchanged: weights, counters,
    statistics and optimizer.

    Args:
        model: any built Keras model, or a model of `tq_halp.algorithms` around one.
        data: arrays or tensors x, (x, y) or (x, y, sample_weight); or a `tf.data.Dataset`, a
            `PyDataset` or an iterable of such batches. Several inputs are nested lists, tuples and
            dicts.
        loss: as in `compile`, for one output; None: the loss that the model is compiled with.
            Without a loss or without y, the report has no gradients and errors, and says so.
        training: whether layers run as in training (dropout, statistics of the batch); None: only
            if there are gradients.
        batch_size: samples per batch, if data is arrays.
        batches: largest number of batches; None: all.
        word_bits: word length of the suggestions, from 1 to 64, for tensors whose format has no
            word length.

    Returns:
        A `Report`: `print` shows a table, `rows` and `to_dict()` hold the numbers, and
        `save_html(path)` writes a page with plots.

    Raises:
        InputError: an argument is wrong, the model does not take the data, or the data is empty or
            not finite.

    The suggested fraction length has the largest signal-to-noise ratio among fixed-point formats of
    the word length, with rounding to nearest and saturation: see `FractionBits`.
    """
    from tq_halp.analysis.analyze import make_report

    return make_report(
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
        from tq_halp.analysis import report_result

        return getattr(report_result, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
