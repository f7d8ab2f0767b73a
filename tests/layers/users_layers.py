"""Layers as a user might write them, plain and wrapped in a `QuantLayer`."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tests.arrays import floats
from tq_halp import quantizers
from tq_halp.layers import QuantLayer

X, Y = floats(2, 3, 4), floats(2, 3, 5, seed=1)


@keras.saving.register_keras_serializable(package="tests")
class Pair(keras.layers.Layer):
    """Two inputs, nested outputs, sublayers, losses, statistics, a metric, random numbers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = units
        policy = self.dtype_policy
        self.dense = keras.layers.Dense(units, activity_regularizer="l2", dtype=policy)
        self.norm = keras.layers.BatchNormalization(dtype=policy)
        self.dropout = keras.layers.Dropout(0.5, seed=1, dtype=policy)
        self.mean = keras.metrics.Mean()
        self.seen = []

    def build(self, x_shape, y_shape):
        self.dense.build(x_shape)
        self.norm.build((*x_shape[:-1], self.units))
        self.kernel = self.add_weight(shape=(y_shape[-1], self.units), name="kernel")
        self.out_bias = self.add_weight(shape=(self.units,), name="out_bias")
        self.calls = self.add_weight(trainable=False, initializer="zeros", name="calls")

    def call(self, x, y, training=False):
        self.seen.append({v.path: tf.convert_to_tensor(v) for v in self.weights})
        self.calls.assign_add(1.0)
        self.add_loss(ops.sum(self.kernel))
        z = self.norm(self.dense(x), training=training)
        z = self.dropout(z, training=training) + ops.matmul(y, self.kernel) + self.out_bias
        self.mean.update_state(z)
        return {"sum": z, "more": [y, ops.argmax(z, axis=-1)]}

    def compute_output_shape(self, x_shape, y_shape):
        shape = (*x_shape[:-1], self.units)
        return {"sum": shape, "more": [y_shape, x_shape[:-1]]}

    def compute_output_spec(self, x, y, training=False):
        shapes = self.compute_output_shape(x.shape, y.shape)
        spec = keras.tree.map_shape_structure(keras.KerasTensor, shapes)
        spec["more"][1] = keras.KerasTensor(shapes["more"][1], dtype="int32")
        return spec

    def compute_mask(self, inputs, previous_mask):
        return {"sum": previous_mask, "more": [None, None]}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Unregistered(keras.layers.Layer):
    """No build(): Keras makes its sublayers' weights by calling it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = keras.layers.Dense(3), keras.layers.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


def with_weights(layer):
    for seed, variable in enumerate(v for v in layer.variables if v.dtype == "float32"):
        if variable.trainable:
            variable.assign(floats(*variable.shape, seed=seed))
    return layer


def pair(**given):
    """A plain layer and a wrapped one of the same weights."""
    plain, inner = Pair(3, name="pair"), Pair(3, name="pair")
    for layer in (plain, inner):
        layer.build(X.shape, Y.shape)
        with_weights(layer)
    return plain, QuantLayer(inner, **given)


def quantize_weights(layer, weights, bias):
    for v in layer.trainable_variables:
        is_bias = v.name in ("bias", "beta", "out_bias")
        v.assign(quantizers.get(bias if is_bias else weights)(v.value))


def assert_equal(got, want):
    keras.tree.map_structure(np.testing.assert_array_equal, got, want)


def state(layer):
    return [v.numpy() for v in layer.non_trainable_variables if v.dtype != "int64"]
