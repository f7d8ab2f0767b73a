"""What the tests of maps from elsewhere share: a model, numbers, and what a map decides."""

import keras
import numpy as np

X = np.concatenate([np.linspace(-3, 3, 97), [0.3125, -0.3125, 0.09375, -0.09375]])
X = X.astype("float32")


def model():
    x = keras.Input((8, 8, 2))
    y = keras.layers.Conv2D(2, 3, name="Conv_1")(x)
    y = keras.layers.ReLU(name="act")(keras.layers.Conv2D(2, 3, name="Conv_10")(y))
    y = keras.layers.Flatten(name="flat")(y)
    return keras.Model(x, keras.layers.Dense(2, name="head")(y))


def decided(quantization):
    """{layer: {tensor: quantizer}} of what is quantized."""
    rows = quantization.plan(model()).rows
    found = {}
    for row in rows:
        if row.quantizer is not None:
            found.setdefault(row.layer, {})[row.tensor] = str(row.quantizer)
    return found
