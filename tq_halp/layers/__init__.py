"""Quantized Keras layers: the Keras layer's own signature plus a quantizer for each tensor.

Importing this package registers the layers with Keras, which a process must do before it loads a
`.keras` file that holds them.
"""

from tq_halp.layers.conv import QuantConv2D
from tq_halp.layers.dense import QuantDense
from tq_halp.layers.embedding import QuantEmbedding
from tq_halp.layers.lstm import QuantLSTM
from tq_halp.layers.quantize import Quantize

__all__ = ["QuantConv2D", "QuantDense", "QuantEmbedding", "QuantLSTM", "Quantize"]
