"""The table from Keras layer classes to quantized classes, and `quantize_layer`, which uses it."""

from collections.abc import Mapping

import keras

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.layers import conv, dense, stateless_layers
from tq_halp.layers.attention import QuantGroupQueryAttention, QuantMultiHeadAttention
from tq_halp.layers.call_signatures import keras_parent
from tq_halp.layers.embedding import QuantEmbedding
from tq_halp.layers.gru import QuantGRU, QuantGRUCell
from tq_halp.layers.lstm import QuantLSTM, QuantLSTMCell
from tq_halp.layers.quantized_layer_mixin import QuantizedLayer
from tq_halp.layers.quantized_user_layer import QuantLayer
from tq_halp.layers.simple_rnn import QuantSimpleRNN, QuantSimpleRNNCell
from tq_halp.layers.user_objects import copy_of, remade

QUANTIZED: dict[type[keras.Layer], type[QuantizedLayer]] = {
    keras_parent(quantized, QuantizedLayer): quantized
    for quantized in (
        dense.QuantDense,
        dense.QuantEinsumDense,
        conv.QuantConv1D,
        conv.QuantConv2D,
        conv.QuantConv3D,
        conv.QuantConv1DTranspose,
        conv.QuantConv2DTranspose,
        conv.QuantConv3DTranspose,
        conv.QuantDepthwiseConv1D,
        conv.QuantDepthwiseConv2D,
        conv.QuantSeparableConv1D,
        conv.QuantSeparableConv2D,
        QuantEmbedding,
        QuantSimpleRNN,
        QuantGRU,
        QuantLSTM,
        QuantSimpleRNNCell,
        QuantGRUCell,
        QuantLSTMCell,
        QuantMultiHeadAttention,
        QuantGroupQueryAttention,
        *stateless_layers.CLASSES.values(),
    )
}


def quantized_class(layer_class: type) -> type[QuantizedLayer] | None:
    """The quantized class for a Keras layer class; a quantized class itself; or None.

    Subclasses do not count, because their `call` is unknown. A layer without a quantized class can
    be wrapped in a `QuantLayer`.
    """
    if layer_class in QUANTIZED.values() or layer_class is QuantLayer:
        return layer_class
    return QUANTIZED.get(layer_class)


def quantize_layer(layer: keras.Layer, quantizers: Mapping) -> keras.Layer:
    """A new quantized layer made from a layer's configuration; the given one is untouched.

    The result is of the layer's quantized class or, if there is none, a `QuantLayer` around a copy.
    It has the layer's name, and only the given quantizers. It is not built, and weights are not
    copied. Apart from the `rounding_counter`, its weights will be those of the layer, in order.

    Args:
        layer: any layer, quantized or not, that is not a model.
        quantizers: by role, as for `QuantizedLayer.choose`; a missing role is None.

    Raises:
        InputError: the layer does not have a role; a quantizer is wrong; or a user's class has a
            `get_config` from which it cannot be made.
    """
    target = quantized_class(type(layer)) or QuantLayer
    for role in quantizers:
        if role not in target.roles:
            raise InputError(f"{layer.name}: {formats.unknown('tensor', role, target.roles)}")
    chosen = target.choose({role: quantizers.get(role) for role in target.roles})
    # "none", because None would give a layer such as an LSTM its default again.
    arguments = {role: "none" if each is None else each for role, each in chosen.items()}
    if target is not QuantLayer:
        return remade(layer, target, arguments)
    if not isinstance(layer, QuantLayer):
        return QuantLayer(copy_of(layer), **arguments)
    own = {"name": layer.name, "dtype": layer.dtype_policy, "trainable": layer.trainable}
    return QuantLayer(copy_of(layer.layer), **own, **arguments)
