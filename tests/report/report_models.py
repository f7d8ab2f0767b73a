"""Models and data that are small enough to be worked out beside the report."""

import keras
import numpy as np

FIXED = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}


def dense(loss="mse"):
    """y = x W + b with W, b of two inputs and one output, known in advance."""
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, name="dense")], name="small")
    model.set_weights([np.float32([[0.3], [-1.2]]), np.float32([0.05])])
    if loss is not None:
        model.compile("sgd", loss)
    return model


def nested():
    """Everything that keeps a state of its own, in a model inside a model."""
    inner = keras.Sequential(
        [
            keras.Input([6]),
            keras.layers.Dense(6, activation="relu", name="dense"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="inner",
    )
    inputs = keras.Input([5], dtype="int32")
    x = keras.layers.Embedding(20, 6, name="embedding")(inputs)
    x = keras.layers.LSTM(6, name="lstm")(x)
    x = keras.layers.Dropout(0.5, seed=1, name="dropout")(inner(x))
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(x), name="nested")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def tokens(count=12):
    """(x, y) for `nested`."""
    draw = np.random.default_rng(0)
    return draw.integers(0, 20, [count, 5]), draw.integers(0, 3, count)


class Subclassed(keras.Model):
    """Layers in Python code, one of them called twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(4, activation="tanh", name="first")
        self.twice = keras.layers.Dense(4, name="twice")

    def call(self, inputs):
        return self.twice(self.twice(self.first(inputs)))


def rows_of(report):
    """{(layer, role, tensor): row}"""
    rows = {(row.layer, row.role, row.tensor): row for row in report.rows}
    assert len(rows) == len(report.rows)
    return rows
