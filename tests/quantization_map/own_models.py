"""Models as users write them: layers in lists and dictionaries, in other layers, made late."""

import keras
import numpy as np
from keras import layers


@keras.saving.register_keras_serializable("tests")
class Scale(layers.Layer):
    """A user's own layer: y = x s."""

    def build(self, shape):
        self.s = self.add_weight(name="s", shape=(shape[-1],), initializer="uniform")

    def call(self, x):
        return x * self.s


@keras.saving.register_keras_serializable("tests")
class Block(layers.Layer):
    """A user's own layer that holds layers, and weights of its own beside them."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units, activation="relu")
        self.rest = [layers.Dense(units) for _ in range(2)]

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones")
        self.first.build(shape)
        for dense in self.rest:
            dense.build((*shape[:-1], self.units))

    def call(self, x):
        x = self.first(x) * self.gain
        for dense in self.rest:
            x = x + dense(x)
        return x

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):
    """Subclassed, without a get_config: sub-models, a dictionary, an RNN, a layer made in build."""

    def __init__(self, units=3):
        super().__init__()
        self.units = units
        self.block = Block(units)
        self.branches = {"a": layers.Dense(units), "b": layers.Dense(units)}
        self.inner = keras.Sequential([layers.Dense(units), layers.BatchNormalization()])
        sequence = keras.Input((5, units))
        self.graph = keras.Model(sequence, layers.Dense(4, name="in_graph")(sequence))
        self.both_ways = layers.Bidirectional(layers.LSTM(2))
        self.scale = Scale()
        self.head = None

    def build(self, shape):
        self.head = layers.Dense(2, name="head")
        self.head.build((None, 4))

    def call(self, x, training=False):
        x = self.block(x)
        x = self.branches["a"](x) + self.branches["b"](x)
        x = self.graph(self.inner(x, training=training))
        return self.head(self.scale(self.both_ways(x)))

    def answer(self):
        return 42


def own_model():
    model = Own(units=6)  # not the default
    model(np.zeros((1, 5, 6), "float32"))
    return model


def with_two_inputs():
    """A shared layer, two inputs, two outputs, a composite layer, cells, an operation."""
    left, right = keras.Input((5, 4), name="left"), keras.Input((5, 4), name="right")
    shared = layers.Dense(4, name="shared")
    y = shared(left) + shared(right)
    y = Block(4, name="block")(y)
    y = layers.TimeDistributed(layers.Dense(3, name="inside"), name="each")(y)
    cells = [layers.LSTMCell(3, name="one"), layers.GRUCell(2, name="two")]
    last = layers.RNN(cells, name="stack")(y)
    model = keras.Model([left, right], [layers.Dense(1, name="out")(last), y], name="two_inputs")
    model.get_layer("each").trainable = False
    return model
