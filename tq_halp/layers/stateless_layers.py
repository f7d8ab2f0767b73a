"""Quantized layer classes that need only a Keras class and its roles, made from one table.

Normalizations: gamma (`scale` of RMSNormalization) is `weights`, beta is `bias`; moving statistics
are not quantized. PReLU: alpha is `weights`. ReversibleEmbedding: its table is `weights`, in both
directions, and so is its second table, if it has one. The other layers have no weights: only their
output and its gradient can be quantized.
"""

import keras

from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES, QuantizedLayer

# The roles, and the names of the Keras classes that have them. Older versions of Keras have fewer.
TABLE = {
    PRODUCT_ROLES: "BatchNormalization LayerNormalization GroupNormalization",
    ("weights", "activations", "gradients", "errors"): (
        "RMSNormalization PReLU ReversibleEmbedding"
    ),
    ("activations", "errors"): """
        UnitNormalization
        MaxPooling1D MaxPooling2D MaxPooling3D
        AveragePooling1D AveragePooling2D AveragePooling3D
        GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
        AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        Add Subtract Multiply Average Maximum Minimum Concatenate Dot
        Activation ReLU LeakyReLU ELU Softmax
        Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D
        GaussianDropout GaussianNoise AlphaDropout
        UpSampling1D UpSampling2D UpSampling3D
    """,
}


def _quantized(keras_class: type, roles: tuple[str, ...]) -> type:
    body = {
        "__module__": __name__,
        "__doc__": f"`keras.layers.{keras_class.__name__}` with {', '.join(roles)} quantized.\n\n"
        f"    Args: those of the Keras layer, and {', '.join(roles)}: each None, a `Quantizer`,\n"
        "        a format or a mapping. See `QuantizedLayer` for what each does.\n    ",
        "roles": roles,
    }
    made = type(f"Quant{keras_class.__name__}", (QuantizedLayer, keras_class), body)
    return keras.saving.register_keras_serializable(package="tq_halp")(made)


CLASSES = {
    f"Quant{name}": _quantized(getattr(keras.layers, name), roles)
    for roles, names in TABLE.items()
    for name in names.split()
    if hasattr(keras.layers, name)
}

# For pickle, which imports classes by name.
globals().update(CLASSES)
__all__ = list(CLASSES)
