"""The steps of ``MultiHeadAttention`` and ``GroupQueryAttention`` between their projections.

A subclass also overrides their ``_compute_attention``: Keras calls it with the projected query, key
and value, and documents that "users can override this function for customized attention".
"""

from typing import Any

import keras


def without_flash_attention(layer: keras.Layer) -> None:
    """Has the layer compute the attention probabilities: the fused flash kernel has none.

    Why private: the constructor's ``flash_attention=False`` leaves a global flag in force. Holds
    since Keras 3.7; without effect before, where there is no flash attention.
    """
    layer._flash_attention = False


def dropout_layer(layer: keras.Layer) -> keras.layers.Dropout:
    """The dropout of the attention probabilities.

    Why private: the layer tells its rate, but its random bits are those of this layer.
    """
    return layer._dropout_layer


def product_equation(layer: keras.Layer) -> str:
    """The einsum equation of q k^T, for the layer's number of attention axes.

    Why private: no public name has it.
    """
    return layer._dot_product_equation


def combine_equation(layer: keras.Layer) -> str:
    """The einsum equation of P v.

    Why private: no public name has it.
    """
    return layer._combine_equation


def masked_softmax(layer: keras.Layer, scores: Any, mask: Any) -> Any:
    """softmax(scores) over the keys that the mask allows.

    Why private: to have the bits of the layer itself, whatever it adds for a masked key.
    """
    return layer._masked_softmax(scores, mask)
