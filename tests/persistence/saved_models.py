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


BUILDERS = {"functional": functional, "subclassed": subclassed}
RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 12, 4, 3)).astype("float32")
Y = RNG.normal(size=(12, 2)).astype("float32")


def inputs(model):
    return [X[0], X[1]] if isinstance(model, keras.Function) else X[0]


def train(model):
    model.fit(inputs(model), Y, batch_size=4, shuffle=False, verbose=0)


def state(model):
    """Everything that training goes on from, and what the model predicts."""
    values = [*model.variables, *model.optimizer.variables]
    # By position: Keras gives variables of nested models other paths when it loads them.
    arrays = {str(index): np.array(value.numpy()) for index, value in enumerate(values)}
    return {**arrays, "predictions": model.predict(inputs(model), verbose=0)}


def go_on(folder):
    for path in sorted(Path(folder).glob("*.keras")):
        model = keras.models.load_model(path)
        before = state(model)["predictions"]
        train(model)
        found = tq_halp.QuantizationMap.of(model).to_dict()
        np.savez(path.with_suffix(".npz"), before=before, map=str(found), **state(model))


if __name__ == "__main__":
    go_on(sys.argv[1])
