"""Which quantized class stands for which Keras class: the only table of its kind."""

import keras

from tq_halp.layers.conv import QuantConv2D
from tq_halp.layers.dense import QuantDense
from tq_halp.layers.embedding import QuantEmbedding
from tq_halp.layers.lstm import QuantLSTM

QUANTIZED = {
    keras.layers.Dense: QuantDense,
    keras.layers.Conv2D: QuantConv2D,
    keras.layers.Embedding: QuantEmbedding,
    keras.layers.LSTM: QuantLSTM,
}


def quantized_class(layer_class: type) -> type | None:
    """The quantized twin of a Keras layer class (its own twin if quantized already), or None.

    Exact classes only: of a subclass nobody here knows what its `call` does.
    """
    if layer_class in QUANTIZED.values():
        return layer_class
    return QUANTIZED.get(layer_class)
