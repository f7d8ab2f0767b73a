"""`keras.layers.MultiHeadAttention` and `GroupQueryAttention`, quantized inside too."""

import keras

from tq_halp.layers.base import PRODUCT_ROLES, QuantizedLayer
from tq_halp.layers.parts import making_parts


class QuantizedAttention:
    """Mixin before `QuantizedLayer` and a Keras attention layer. With Q_r that of role r:

        q, k, v = Q_activations(x W_q + b_q), and likewise from the inputs `key` and `value`
        P       = Q_activations(softmax(q k^T / sqrt(key_dim)))       0 where a mask says so
        y       = Q_activations(P v W_o + b_o)

    with every W Q_weights(W) and every b Q_bias(b), also those of the gate of `use_gate`. `errors`
    quantizes the gradients of q, k, v, P and y; `gradients` that of every W and b. Dropout acts on
    the quantized P, which are also the attention scores that a call can return.

    Flash attention and Keras' fused `dot_product_attention` have no P to quantize, and are not used
    where activations or errors have a quantizer.
    """

    roles = PRODUCT_ROLES

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._counter = 0  # of the call that is under way
        if self._is_quantizing_inside:
            self._flash_attention = False

    def build(self, query_shape, value_shape, key_shape=None):
        with making_parts():
            super().build(query_shape, value_shape, key_shape)

    @property
    def _is_quantizing_inside(self):
        return any(self.quantizers[role] is not None for role in ("activations", "errors"))

    def _start_call(self, training):
        self._counter = super()._start_call(training)
        return self._counter

    def _masked_softmax(self, *args, **kwargs):
        probabilities = super()._masked_softmax(*args, **kwargs)
        return self._output(probabilities, self._counter, "probabilities")

    def _outputs(self, outputs, counter):
        if isinstance(outputs, tuple):  # the second are the scores, which are quantized already
            return self._output(outputs[0], counter), *outputs[1:]
        return self._output(outputs, counter)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantMultiHeadAttention(QuantizedAttention, QuantizedLayer, keras.layers.MultiHeadAttention):
    """Multi-head attention as `QuantizedAttention` says.

    Args: those of `keras.layers.MultiHeadAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    def _compute_attention(
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        **kwargs,
    ):
        if self._is_quantizing_inside:
            return_attention_scores = True  # which takes the way of Keras' that has them
            query = self._output(query, self._counter, "query")
            key = self._output(key, self._counter, "key")
            value = self._output(value, self._counter, "value")
        return super()._compute_attention(
            query, key, value, attention_mask, training, return_attention_scores, **kwargs
        )


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantGroupQueryAttention(
    QuantizedAttention, QuantizedLayer, keras.layers.GroupQueryAttention
):
    """Grouped-query attention as `QuantizedAttention` says.

    Args: those of `keras.layers.GroupQueryAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    def _compute_attention(self, query, key, value, *args, **kwargs):
        if not self._is_quantizing_inside:
            return super()._compute_attention(query, key, value, *args, **kwargs)
        query = self._output(query, self._counter, "query")
        key = self._once_a_group(key, "key")
        value = self._once_a_group(value, "value")
        asked = self._return_attention_scores
        self._return_attention_scores = True  # which takes the way of Keras' that has them
        try:
            return super()._compute_attention(query, key, value, *args, **kwargs)
        finally:
            self._return_attention_scores = asked

    def _once_a_group(self, x, name):
        """Quantizes keys or values, which Keras has repeated for the query heads of a group."""
        projected = x[:, :, :: self.num_repeats]
        quantized = self._output(projected, self._counter, name)
        return keras.ops.repeat(quantized, self.num_repeats, axis=2)
