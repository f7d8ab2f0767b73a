"""Quantized twins that are a Keras class, its roles and nothing else: made from one table.

Normalizations: gamma (`scale` of RMSNormalization) is `weights`, beta is `bias`; moving statistics
are not quantized. PReLU: alpha is `weights`. ReversibleEmbedding: its whole table is, for both
ways, and the second one that it may have. All others hold no weights, only their output and the
error that flows back into them can be quantized.
"""

import keras

from tq_halp.layers.quantized_layer import PRODUCT_ROLES, QuantizedLayer

# The roles, and the names of the Keras classes that have them; the older Keras, the fewer it knows.
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


def _twin(keras_class: type, roles: tuple[str, ...]) -> type:
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
    f"Quant{name}": _twin(getattr(keras.layers, name), roles)
    for roles, names in TABLE.items()
    for name in names.split()
    if hasattr(keras.layers, name)
}

# Importable by name, as pickle needs it.
globals().update(CLASSES)
__all__ = list(CLASSES)
