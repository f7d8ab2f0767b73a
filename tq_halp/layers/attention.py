"""Quantized `keras.layers.MultiHeadAttention` and `GroupQueryAttention`, with all inner tensors."""

import contextvars
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tq_halp.keras_internals import attention
from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES, QuantizedLayer
from tq_halp.layers.sublayers import making_parts
from tq_halp.mixin_typing import MixinBase


@dataclasses.dataclass
class AttentionCall:
    """The call under way, for the methods that Keras' `call` consists of."""

    returns_scores: bool
    counter: Any = 0  # int64 scalar, for the random bits


_call: contextvars.ContextVar[AttentionCall] = contextvars.ContextVar("tq_halp.layers.attention")


class QuantizedAttention(MixinBase):
    """Mixin before `QuantizedLayer` and a Keras attention layer. Q_r is the quantizer of role r:

        q, k, v = Q_activations(x W_q + b_q), and likewise from the inputs `key` and `value`
        P       = Q_activations(softmax(q k^T / sqrt(key_dim)))       0 where a mask says so
        y       = Q_activations(P v W_o + b_o)

    Every W is Q_weights(W) and every b Q_bias(b), also those of the gate of `use_gate`. `errors`
    quantizes the gradients of q, k, v, P and y; `gradients` those of every W and b. Dropout acts on
    the quantized P. The attention scores that a call can return are the quantized P.

    Masks have the same effect as in Keras, also for a query that may attend to nothing. If Keras
    uses its fused `dot_product_attention` (no dropout, no scores returned, heads of one axis), all
    entries of that query's P are equal; otherwise they are 0. Flash attention and the fused op have
    no P to quantize. So the formula is computed step by step if activations or errors have a
    quantizer.
    """

    roles: tuple[str, ...] = PRODUCT_ROLES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._is_quantizing_inside:
            attention.without_flash_attention(self)

    def build(
        self,
        query_shape: Sequence[int | None],
        value_shape: Sequence[int | None],
        key_shape: Sequence[int | None] | None = None,
    ) -> None:
        with making_parts():
            super().build(query_shape, value_shape, key_shape)

    def call(  # type: ignore[no-untyped-def]  # as Keras' own
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        keras_call = super().call
        token = _call.set(AttentionCall(return_attention_scores))
        try:
            return self._call_quantized(
                lambda: keras_call(
                    query,
                    value,
                    key=key,
                    query_mask=query_mask,
                    value_mask=value_mask,
                    key_mask=key_mask,
                    attention_mask=attention_mask,
                    return_attention_scores=return_attention_scores,
                    training=training,
                    use_causal_mask=use_causal_mask,
                ),
                training,
            )
        finally:
            _call.reset(token)

    @property
    def _is_quantizing_inside(self) -> bool:
        """Whether q, k, v and P, or their gradients, have a quantizer."""
        return any(self.quantizers[role] is not None for role in ("activations", "errors"))

    def _start_call(self, training: bool | None, *args: Any, **kwargs: Any) -> tf.Tensor | int:
        counter = _call.get().counter = super()._start_call(training, *args, **kwargs)
        return counter

    def _compute_attention(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        value: tf.Tensor,
        attention_mask: tf.Tensor | None = None,
        training: bool | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if not self._is_quantizing_inside:
            return super()._compute_attention(
                query, key, value, attention_mask, training, *args, **kwargs
            )
        query, key, value = self._quantized_heads(query, key, value)
        dropout = attention.dropout_layer(self)
        drops = dropout.rate > 0
        is_fused = not (drops or _call.get().returns_scores or len(query.shape) != 4)
        probabilities = self._fused if is_fused else self._unfused
        p = self._inside(probabilities(query, key, attention_mask), "probabilities")
        kept = dropout(p, training=training) if drops else p
        return ops.einsum(attention.combine_equation(self), kept, value), p

    def _quantized_heads(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> list[tf.Tensor]:
        named = {"query": query, "key": key, "value": value}
        return [self._inside(x, name) for name, x in named.items()]

    def _unfused(self, query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """softmax(q k^T / sqrt(key_dim)), with the same operations as Keras' unfused attention."""
        scale = 1 / math.sqrt(self._head_size)
        scores = self._scores(ops.multiply(query, ops.cast(scale, query.dtype)), key)
        return attention.masked_softmax(self, scores, mask)

    def _fused(self, query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """The same, with the operations of `keras.ops.dot_product_attention`, in float32."""
        scores = ops.cast(self._scores(query, key), "float32") / math.sqrt(self._head_size)
        if mask is not None:
            while len(mask.shape) < 4:
                mask = ops.expand_dims(mask, -3)
            scores = ops.where(ops.cast(mask, "bool"), scores, ops.cast(-2.3e38, "float32"))
        return ops.cast(ops.softmax(scores), key.dtype)

    def _inside(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return self._output(x, _call.get().counter, name)

    def _outputs(self, outputs: Any, counter: tf.Tensor | int) -> Any:
        if isinstance(outputs, tuple):  # with the scores, which are already quantized
            return self._output(outputs[0], counter), *outputs[1:]
        return self._output(outputs, counter)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantMultiHeadAttention(QuantizedAttention, QuantizedLayer, keras.layers.MultiHeadAttention):
    """Multi-head attention with quantized tensors: see `QuantizedAttention`.

    Args: those of `keras.layers.MultiHeadAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    @property
    def _head_size(self) -> int:
        return self.key_dim

    def _scores(self, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return ops.einsum(attention.product_equation(self), key, query)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantGroupQueryAttention(
    QuantizedAttention, QuantizedLayer, keras.layers.GroupQueryAttention
):
    """Grouped-query attention with quantized tensors: see `QuantizedAttention`.

    Args: those of `keras.layers.GroupQueryAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    @property
    def _head_size(self) -> int:
        return self.head_dim

    def _scores(self, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return ops.einsum(attention.product_equation(self), query, key)

    def _quantized_heads(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> list[tf.Tensor]:
        """Quantizes keys and values once, before they are repeated for the heads of a group."""
        repeats = self.num_repeats
        query, *shared = super()._quantized_heads(
            query, key[:, :, ::repeats], value[:, :, ::repeats]
        )
        return [query, *(ops.repeat(x, repeats, axis=2) for x in shared)]
