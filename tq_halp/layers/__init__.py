"""Quantized Keras layers: the signature of the Keras layer, and a quantizer for each tensor.

To load a `.keras` file with such layers, `import tq_halp` is enough: see
`tq_halp.keras_registration`.
"""

from tq_halp.layers import stateless_layers
from tq_halp.layers.attention import QuantGroupQueryAttention, QuantMultiHeadAttention
from tq_halp.layers.conv import (
    QuantConv1D,
    QuantConv1DTranspose,
    QuantConv2D,
    QuantConv2DTranspose,
    QuantConv3D,
    QuantConv3DTranspose,
    QuantDepthwiseConv1D,
    QuantDepthwiseConv2D,
    QuantSeparableConv1D,
    QuantSeparableConv2D,
)
from tq_halp.layers.dense import QuantDense, QuantEinsumDense
from tq_halp.layers.embedding import QuantEmbedding
from tq_halp.layers.gru import QuantGRU, QuantGRUCell
from tq_halp.layers.lstm import QuantLSTM, QuantLSTMCell
from tq_halp.layers.quantize_layer import Quantize
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.layers.simple_rnn import QuantSimpleRNN, QuantSimpleRNNCell

globals().update(stateless_layers.CLASSES)

__all__ = [
    *stateless_layers.CLASSES,
    "QuantConv1D",
    "QuantConv1DTranspose",
    "QuantConv2D",
    "QuantConv2DTranspose",
    "QuantConv3D",
    "QuantConv3DTranspose",
    "QuantDense",
    "QuantDepthwiseConv1D",
    "QuantDepthwiseConv2D",
    "QuantEinsumDense",
    "QuantEmbedding",
    "QuantGRU",
    "QuantGRUCell",
    "QuantGroupQueryAttention",
    "QuantLSTM",
    "QuantLSTMCell",
    "QuantLayer",
    "QuantMultiHeadAttention",
    "QuantSeparableConv1D",
    "QuantSeparableConv2D",
    "QuantSimpleRNN",
    "QuantSimpleRNNCell",
    "Quantize",
]
