"""Models to save, what training them further gives, and a process of its own that loads them.

Run as a program: `saved_models.py FOLDER`. It imports tq_halp and no part of it, and trains each
model that it finds in the folder.
"""

import sys
from pathlib import Path

import tq_halp

if __name__ == "__main__":
    assert "keras" not in sys.modules, "the order that this is to show"

import keras
import numpy as np

A8 = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4, "rounding": "stochastic", "seed": 2}
MAP = {
    "version": 1,
    "formats": {
        "w8": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "stochastic"},
        "a8": {**A8, "gradient": "clipped"},
        "g8": {"format": "float8_e5m2", "rounding": "stochastic", "seed": 4},
    },
    "rules": [
        {"layers": "float", "quantize": "none", "optional": True},
        {
            "layers": ".*",
            "optional": True,  # not every model has gates
            **{"weights": "w8", "bias": "w8", "activations": "a8", "gates": "a8", "state": "a8"},
            **{"gradients": "g8", "errors": "g8", "momentum": "float16"},
        },
    ],
}


@keras.saving.register_keras_serializable("tests")
class UsersModel(keras.Model):
    """A subclassed model whose layers draw random numbers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [keras.layers.Dense(units, activation="relu") for _ in range(2)]
        self.dropout = keras.layers.Dropout(0.3)
        self.head = keras.layers.Dense(2)

    def call(self, x, training=None):
        for block in self.blocks:
            x = self.dropout(block(x), training=training)
        return self.head(keras.ops.mean(x, axis=1))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def functional():
    """Two inputs, a shared layer, a model inside, every kind of noise, statistics."""
    a, b = keras.Input((4, 3), name="a"), keras.Input((4, 3), name="b")
    inner = keras.Sequential(
        [keras.Input((4, 6)), keras.layers.Dense(6), keras.layers.Dropout(0.5)], name="inner"
    )
    shared = keras.layers.Dense(6, name="shared")
    x = keras.layers.Add()([inner(shared(a)), shared(b)])
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.LSTM(5, dropout=0.2, recurrent_dropout=0.2, name="lstm")(x)
    x = keras.layers.GaussianNoise(0.1, name="float")(x)
    return keras.Model([a, b], keras.layers.Dense(2)(x), name="functional")


def subclassed():
    model = UsersModel(6, name="subclassed")
    model(np.zeros((1, 4, 3), "float32"))
    return model


def residual():
    """A ResNet and a MobileNetV2 in small: convolutions of all kinds between shortcuts."""
    x = start = keras.Input((4, 3, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    for strides in (1, 2):
        y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
        y = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = keras.layers.Conv2D(4, 1, strides, activation="relu")(y)
        y = keras.layers.SpatialDropout2D(0.2)(y)
        shortcut = keras.layers.MaxPooling2D(strides)(x) if strides > 1 else x
        x = keras.layers.Add()([shortcut, y])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(start, keras.layers.Dense(2)(x), name="residual")


def transformer():
    x = start = keras.Input((4, 3))
    x = keras.layers.Dense(4)(x)
    y = keras.layers.MultiHeadAttention(2, 2, dropout=0.2)(x, x)
    x = keras.layers.LayerNormalization()(keras.layers.Add()([x, y]))
    y = keras.layers.Dense(4)(keras.layers.Dense(8, activation="gelu")(x))
    x = keras.layers.LayerNormalization()(keras.layers.Add()([x, keras.layers.Dropout(0.1)(y)]))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(start, keras.layers.Dense(2)(x), name="transformer")


def bidirectional():
    return keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(6, 3, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True, dropout=0.2)),
            keras.layers.Bidirectional(keras.layers.LSTM(2)),
            keras.layers.Dense(2),
        ],
        name="bidirectional",
    )


BUILDERS = {
    "functional": functional,
    "subclassed": subclassed,
    "residual": residual,
    "transformer": transformer,
    "bidirectional": bidirectional,
}
RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 12, 4, 3)).astype("float32")
Y = RNG.normal(size=(12, 2)).astype("float32")


def inputs(model):
    special = {
        "functional": [X[0], X[1]],
        "residual": X[0][..., np.newaxis],
        "bidirectional": np.clip(3 + 2 * X[0, ..., 0], 0, 5).astype("int32"),
    }
    return special.get(model.name, X[0])


def train(model):
    model.fit(inputs(model), Y, batch_size=4, shuffle=False, verbose=0)


def state(model):
    """Everything that training goes on from, and what the model predicts."""
    values = [*model.variables, *model.optimizer.variables]
    # By position: Keras gives variables of nested models other paths when it loads them.
    arrays = {str(index): np.array(value.numpy()) for index, value in enumerate(values)}
    # Called, as `predict` would trace each model anew: in two processes, a third of the time.
    return {**arrays, "predictions": model(inputs(model), training=False).numpy()}


class Unregistered(keras.layers.Layer):
    """A user's, which Keras finds by custom_objects alone."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


def call(folder):
    """Loads models that are not trained on, and writes what they make of the numbers beside."""
    for path in sorted(Path(folder).glob("called/*.keras")):
        users = {"Unregistered": Unregistered} if path.stem == "users" else None
        model = keras.models.load_model(path, custom_objects=users)
        x = np.load(path.with_suffix(".x.npy"))
        calls = [v.numpy() for v in model.layers[-1].variables if v.name == "calls"]
        np.savez(path.with_suffix(".npz"), y=model(x), calls=calls)


def go_on(folder):
    for path in sorted(Path(folder).glob("*.keras")):
        model = keras.models.load_model(path)
        before = state(model)["predictions"]
        train(model)
        found = tq_halp.QuantizationMap.of(model).to_dict()
        np.savez(path.with_suffix(".npz"), before=before, map=str(found), **state(model))


if __name__ == "__main__":
    go_on(sys.argv[1])
    call(sys.argv[1])
