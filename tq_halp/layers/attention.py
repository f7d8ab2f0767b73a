"""`keras.layers.MultiHeadAttention` and `GroupQueryAttention`, quantized inside too."""

import contextvars
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.mixin_base import MixinBase
from tq_halp.layers.quantized_layer import PRODUCT_ROLES, QuantizedLayer
from tq_halp.layers.sublayers import making_parts


@dataclasses.dataclass
class AttentionCall:
    """What the methods that Keras' `call` is made of have to know of the call."""

    returns_scores: bool
    counter: Any = 0  # int64 scalar, of its random bits


_call: contextvars.ContextVar[AttentionCall] = contextvars.ContextVar("tq_halp.layers.attention")


class QuantizedAttention(MixinBase):
    """Mixin before `QuantizedLayer` and a Keras attention layer. With Q_r that of role r:

        q, k, v = Q_activations(x W_q + b_q), and likewise from the inputs `key` and `value`
        P       = Q_activations(softmax(q k^T / sqrt(key_dim)))       0 where a mask says so
        y       = Q_activations(P v W_o + b_o)

    with every W Q_weights(W) and every b Q_bias(b), also those of the gate of `use_gate`. `errors`
    quantizes the gradients of q, k, v, P and y; `gradients` that of every W and b. Dropout acts on
    the quantized P, which are also the attention scores that a call can return.

    Masks mean what they mean to Keras, for a query too that may attend to nothing. Its P is
    the same everywhere where Keras takes its fused `dot_product_attention`, which is where the
    layer has no dropout, the scores are not asked for and heads have one axis; it is 0 elsewhere.
    Flash attention and the fused operation itself have no P to quantize: where activations or
    errors have a quantizer their formula is computed in parts.
    """

    roles: tuple[str, ...] = PRODUCT_ROLES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._is_quantizing_inside:
            self._flash_attention = False

    def build(
        self,
        query_shape: Sequence[int | None],
        value_shape: Sequence[int | None],
        key_shape: Sequence[int | None] | None = None,
    ) -> None:
        with making_parts():
            super().build(query_shape, value_shape, key_shape)

    def call(
        self,
        query: tf.Tensor,
        value: tf.Tensor,
        key: tf.Tensor | None = None,
        query_mask: tf.Tensor | None = None,
        value_mask: tf.Tensor | None = None,
        key_mask: tf.Tensor | None = None,
        attention_mask: tf.Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
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
        drops = self._dropout_layer.rate > 0
        is_fused = not (drops or _call.get().returns_scores or len(query.shape) != 4)
        probabilities = self._fused if is_fused else self._in_parts
        p = self._inside(probabilities(query, key, attention_mask), "probabilities")
        kept = self._dropout_layer(p, training=training) if drops else p
        return ops.einsum(self._combine_equation, kept, value), p

    def _quantized_heads(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> list[tf.Tensor]:
        named = {"query": query, "key": key, "value": value}
        return [self._inside(x, name) for name, x in named.items()]

    def _in_parts(self, query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """softmax(q k^T / sqrt(key_dim)), operation by operation as where Keras has P itself."""
        scale = 1 / math.sqrt(self._size_of_a_head)
        scores = self._scores(ops.multiply(query, ops.cast(scale, query.dtype)), key)
        return self._masked_softmax(scores, mask)

    def _fused(self, query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """The same as `keras.ops.dot_product_attention` computes it, in float32."""
        scores = ops.cast(self._scores(query, key), "float32") / math.sqrt(self._size_of_a_head)
        if mask is not None:
            while len(mask.shape) < 4:
                mask = ops.expand_dims(mask, -3)
            scores = ops.where(ops.cast(mask, "bool"), scores, ops.cast(-2.3e38, "float32"))
        return ops.cast(ops.softmax(scores), key.dtype)

    def _inside(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return self._output(x, _call.get().counter, name)

    def _outputs(self, outputs: Any, counter: tf.Tensor | int) -> Any:
        if isinstance(outputs, tuple):  # the second are the scores, which are quantized already
            return self._output(outputs[0], counter), *outputs[1:]
        return self._output(outputs, counter)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantMultiHeadAttention(QuantizedAttention, QuantizedLayer, keras.layers.MultiHeadAttention):
    """Multi-head attention as `QuantizedAttention` says.

    Args: those of `keras.layers.MultiHeadAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    @property
    def _size_of_a_head(self) -> int:
        return self._key_dim

    def _scores(self, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return ops.einsum(self._dot_product_equation, key, query)


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantGroupQueryAttention(
    QuantizedAttention, QuantizedLayer, keras.layers.GroupQueryAttention
):
    """Grouped-query attention as `QuantizedAttention` says.

    Args: those of `keras.layers.GroupQueryAttention`, and weights, bias, activations, gradients,
        errors: each None, a `Quantizer`, a format or a mapping.
    """

    @property
    def _size_of_a_head(self) -> int:
        return self.head_dim

    def _scores(self, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return ops.einsum(self._dot_product_equation, query, key)

    def _quantized_heads(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> list[tf.Tensor]:
        """Keys and values before Keras repeats them for the query heads of a group."""
        repeats = self.num_repeats
        query, *shared = super()._quantized_heads(
            query, key[:, :, ::repeats], value[:, :, ::repeats]
        )
        return [query, *(ops.repeat(x, repeats, axis=2) for x in shared)]
