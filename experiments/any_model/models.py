"""The models of this experiment as their authors write them, and data to train each of them on."""

import keras
import numpy as np
from keras import layers

BATCH = 8
STEPS = 20
CLASSES = 10


def resnet50():
    return keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=CLASSES)


def mobilenet_v2():
    return keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=CLASSES)


def transformer():
    """Embedding, one block of a Transformer encoder, a classifier."""
    tokens = keras.Input((32,), dtype="int32")
    x = layers.Embedding(100, 32)(tokens)
    y = layers.MultiHeadAttention(4, 8, dropout=0.1)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(y)]))
    y = layers.Dense(32)(layers.Dense(128, activation="gelu")(x))
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(y)]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(
        tokens,
        layers.Dense(CLASSES, activation="softmax", name="predictions")(x),
        name="transformer",
    )


def bidirectional_lstm():
    return keras.Sequential(
        [
            keras.Input((32,), dtype="int32"),
            layers.Embedding(100, 32, mask_zero=True),
            layers.Bidirectional(layers.LSTM(32, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(32, dropout=0.2)),
            layers.Dense(CLASSES, activation="softmax", name="predictions"),
        ],
        name="bidirectional_lstm",
    )


@keras.saving.register_keras_serializable("any_model")
class Subclassed(keras.Model):
    """A constructor of its own, layers in a list, a loop in its call."""

    def __init__(self, widths, rate, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.rate = widths, rate
        self.blocks = [
            (layers.Dense(width, use_bias=False), layers.BatchNormalization()) for width in widths
        ]
        self.dropout = layers.Dropout(rate)
        self.head = layers.Dense(CLASSES, activation="softmax", name="predictions")

    def call(self, x, training=None):
        for dense, normalize in self.blocks:
            x = keras.ops.relu(normalize(dense(x), training=training))
            x = self.dropout(x, training=training)
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), "widths": self.widths, "rate": self.rate}


def subclassed():
    model = Subclassed([64, 64, 32], 0.2, name="subclassed")
    model(np.zeros((1, 40), "float32"))
    return model


def two_inputs():
    """One encoder, a model by itself, reads both inputs."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="shared")(image)
    x = layers.DepthwiseConv2D(3, padding="same")(layers.MaxPooling2D()(x))
    encoder = keras.Model(image, layers.Flatten()(x), name="encoder")
    left, right = keras.Input((16, 16, 3), name="left"), keras.Input((16, 16, 3), name="right")
    projection = layers.Dense(32, name="projection")
    a, b = projection(encoder(left)), projection(encoder(right))
    x = layers.Concatenate()([a, b, a - b])
    y = layers.Dense(CLASSES, activation="softmax", name="predictions")(x)
    return keras.Model([left, right], y, name="two_inputs")


BUILDERS = {
    "ResNet50": resnet50,
    "MobileNetV2": mobilenet_v2,
    "Transformer block": transformer,
    "stacked Bidirectional LSTM": bidirectional_lstm,
    "subclass of keras.Model": subclassed,
    "shared layers, two inputs": two_inputs,
}


def data(model):
    """Inputs and labels for STEPS steps: noise around one prototype for each class."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, CLASSES, BATCH * STEPS)
    if model.name == "subclassed":
        shapes, dtypes = [(40,)], ["float32"]
    else:
        shapes = [each.shape[1:] for each in model.inputs]
        dtypes = [each.dtype for each in model.inputs]
    inputs = []
    for shape, dtype in zip(shapes, dtypes, strict=True):
        prototypes = rng.normal(size=(CLASSES, *shape))
        x = prototypes[labels] + 0.5 * rng.normal(size=(len(labels), *shape))
        inputs.append(np.clip(50 + 20 * x, 0, 99).astype(dtype) if dtype == "int32" else x)
    inputs = [x.astype("float32") if x.dtype == "float64" else x for x in inputs]
    return inputs if len(inputs) > 1 else inputs[0], labels
