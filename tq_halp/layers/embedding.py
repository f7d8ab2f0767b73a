"""Quantized `keras.layers.Embedding`: rows, output, errors and gradients of rows."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.quantized_layer_mixin import QuantizedLayer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantEmbedding(QuantizedLayer, keras.layers.Embedding):
    """y[...] = Q_activations(Q_weights(table[inputs[...], :])).

    Only the gathered rows are quantized, with the same result as gathering from the quantized
    table. The whole table is quantized if the format is not elementwise (blocks, a `Ternary`
    without a threshold). A dynamic-range `ScaledInteger` takes its scale from the whole table.
    Stochastic rounding draws bits by position in the batch, so that two occurrences of a token in
    one batch may be rounded differently (each without bias).

    `gradients` quantizes the gradient of each gathered row, before the rows of a token are summed.
    The sum is a multiple of the step, but it can exceed the format's range.

    Args: those of `keras.layers.Embedding` without its `weights` (initial values: pass
        `embeddings_initializer=keras.initializers.Constant(table)` or call `set_weights`), and
        weights, activations, gradients, errors: each None, a `Quantizer`, a format or a mapping.
    """

    roles = ("weights", "activations", "gradients", "errors")

    def call(self, inputs, training=None):  # type: ignore[no-untyped-def]  # as Keras' own
        counter = self._start_call(training, inputs)
        if inputs.dtype != "int32" and inputs.dtype != "int64":
            inputs = ops.cast(inputs, "int32")
        quantizer = self.quantizers["weights"]
        if quantizer is None or quantizer.format.elementwise:
            rows = self._gather(super().embeddings, inputs, counter)
            rows = self._quantize("weights", "embeddings", rows, counter, scale=self._table_scale())
        else:
            table = ops.cast(super().embeddings, self.compute_dtype)
            table = self._quantize("weights", "embeddings", table, counter)
            rows = self._gather(table, inputs, counter)
        return self._output(rows, counter)

    def compute_output_spec(  # type: ignore[override]
        self, inputs: tf.Tensor, training: bool | None = None
    ) -> Any:
        return super().compute_output_spec(inputs)

    def _gather(self, table: tf.Tensor, inputs: tf.Tensor, counter: tf.Tensor | int) -> tf.Tensor:
        rows = ops.cast(ops.take(table, inputs, axis=0), self.compute_dtype)
        return self._quantize_gradient("gradients", "embeddings/gradient", rows, counter)

    def _table_scale(self) -> tf.Tensor | None:
        quantizer: Any = self.quantizers["weights"]
        if quantizer is None or not quantizer.has_dynamic_range:
            return None  # without reading the table
        return quantizer.scale(ops.cast(super().embeddings, self.compute_dtype))
